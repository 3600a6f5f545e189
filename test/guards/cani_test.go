package guards

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestCanI has the API server list all that each identity may do, in a preview and elsewhere, and compares with testdata/can-i.txt. A right that is
// added to a manifest shows there.
func TestCanI(t *testing.T) {
	t.Parallel()
	b := setup(t)
	tokens := []struct{ name, token string }{{"catalyst", b.token}, {"deployer", b.accountToken(t, deployer)}, {"pods", b.accountToken(t, "default")}}
	var lines []string
	for _, who := range tokens {
		everywhere := b.may(t, who.token, "kube-system")
		for _, line := range everywhere {
			lines = append(lines, who.name+" everywhere: "+line)
		}
		for _, line := range b.may(t, who.token, preview) {
			if !slices.Contains(everywhere, line) {
				lines = append(lines, who.name+" in a preview: "+line)
			}
		}
		for _, namespace := range []string{"default", foreign, sibling, b.options.Namespace()} {
			if d := cmp.Diff(everywhere, b.may(t, who.token, namespace)); d != "" {
				t.Errorf("%s may do in %s what it may not everywhere (-everywhere +there):\n%s", who.name, namespace, d)
			}
		}
	}
	got := strings.Join(lines, "\n") + "\n"
	const golden = "testdata/can-i.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); d != "" {
		t.Errorf("rights (-want +got); go test ./test/guards -update writes them down:\n%s", d)
	}
}

// may lists what the bearer of the token may do in the namespace, one resource a line. What every identity of a cluster may do is left out: ask who it
// is and what it may.
func (b *bench) may(t *testing.T, token, namespace string) []string {
	t.Helper()
	review := request{line: "POST /apis/authorization.k8s.io/v1/selfsubjectrulesreviews", body: `{"spec":{"namespace":"` + namespace + `"}}`}
	code, said, err := review.send(t.Context(), b.host, b.as(token))
	if err != nil || code != http.StatusCreated {
		t.Fatalf("%d %s, %v", code, said, err)
	}
	var answer authorizationv1.SelfSubjectRulesReview
	if err := json.Unmarshal([]byte(said), &answer); err != nil {
		t.Fatal(err)
	}
	if answer.Status.Incomplete {
		t.Fatalf("not all rights are listed: %s", answer.Status.EvaluationError)
	}
	verbs := map[string][]string{}
	for _, rule := range answer.Status.ResourceRules {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				if strings.HasPrefix(resource, "selfsubject") {
					continue
				}
				what := resource
				if group != "" {
					what += "." + group
				}
				if len(rule.ResourceNames) > 0 {
					what += " named " + strings.Join(rule.ResourceNames, ", ")
				}
				verbs[what] = append(verbs[what], rule.Verbs...)
			}
		}
	}
	var lines []string
	for what, list := range verbs {
		slices.Sort(list)
		lines = append(lines, fmt.Sprintf("%s: %s", what, strings.Join(slices.Compact(list), " ")))
	}
	slices.Sort(lines)
	return lines
}
