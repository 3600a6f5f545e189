package cluster

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

func manifestRole(t *testing.T, file string) []rbacv1.PolicyRule {
	t.Helper()
	text, err := os.ReadFile("../../deploy/manifests/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var role rbacv1.ClusterRole
	if err := yaml.UnmarshalStrict(text, &role); err != nil {
		t.Fatal(err)
	}
	return role.Rules
}

// TestGuardianIsWhatIsNeeded: the role of deploy/manifests gives Catalyst in a preview what the code uses, and nothing else.
func TestGuardianIsWhatIsNeeded(t *testing.T) {
	t.Parallel()
	var needed, given []string
	for _, r := range guardianNeeds() {
		for verb := range strings.FieldsSeq(r.verbs) {
			needed = append(needed, r.group+" "+r.what()+" "+verb)
		}
	}
	for _, rule := range manifestRole(t, "guardian.yaml") {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					given = append(given, group+" "+resource+" "+verb)
				}
			}
		}
	}
	slices.Sort(needed)
	slices.Sort(given)
	if d := cmp.Diff(needed, given); d != "" {
		t.Errorf("-needed +given:\n%s", d)
	}
}

// TestRolesAreJudged: what doctor says of roles that were changed.
func TestRolesAreJudged(t *testing.T) {
	t.Parallel()
	guardian, deployer := manifestRole(t, "guardian.yaml"), manifestRole(t, "deployer.yaml")
	rule := func(group, resource, verb string) rbacv1.PolicyRule {
		return rbacv1.PolicyRule{APIGroups: []string{group}, Resources: []string{resource}, Verbs: []string{verb}}
	}
	for name, test := range map[string]struct {
		role  string
		rules []rbacv1.PolicyRule
		found string // "" when it is as it should be
	}{
		"the guardian as it is shipped": {guardianRole, guardian, ""},
		"the deployer as it is shipped": {deployerRole, deployer, ""},
		"with a kind more":              {deployerRole, append(slices.Clone(deployer), rule("example.com", "widgets", "create")), ""},
		"empty":                         {guardianRole, nil, "allows nothing"},
		"of an older version":           {guardianRole, guardian[1:], "patch resourcequotas"},
		"for named objects only":        {guardianRole, []rbacv1.PolicyRule{{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}, ResourceNames: []string{"a"}}}, "list secrets"},
		"an administrator's":            {deployerRole, []rbacv1.PolicyRule{rule("*", "*", "*")}, "create networkpolicies"},
		"with its own guards":           {deployerRole, append(slices.Clone(deployer), rule("", "resourcequotas", "patch")), "patch resourcequotas"},
		"with tokens":                   {deployerRole, append(slices.Clone(deployer), rule("", "serviceaccounts/token", "create")), "create serviceaccounts/token"},
	} {
		f := judgeRole(Finding{Name: "role"}, test.role, test.rules)
		if f.OK != (test.found == "") || !strings.Contains(f.Found, test.found) {
			t.Errorf("%s: %+v, want %q", name, f, test.found)
		}
	}
}
