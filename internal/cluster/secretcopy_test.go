package cluster

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"catalyst.dev/catalyst/internal/preview"
)

// sources is a namespace with Secrets that may be copied.
type sources struct {
	*bundle
	name string
}

func (b *bundle) sources() sources {
	b.t.Helper()
	s := sources{b, b.identity("-sources").Namespace}
	if _, err := b.admin.CoreV1().Namespaces().Create(b.t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.name}}, metav1.CreateOptions{}); err != nil {
		b.t.Fatal(err)
	}
	b.c.sources = s.name
	s.allow()
	return s
}

// allow lets Catalyst read sources, as an operator does, but not list them.
func (s sources) allow() {
	s.t.Helper()
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "sources"}, Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get"}}}}
	if _, err := s.admin.RbacV1().Roles(s.name).Create(s.t.Context(), role, metav1.CreateOptions{}); err != nil {
		s.t.Fatal(err)
	}
	self, err := s.c.self(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "sources"}, Subjects: []rbacv1.Subject{self},
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "sources"},
	}
	if _, err := s.admin.RbacV1().RoleBindings(s.name).Create(s.t.Context(), binding, metav1.CreateOptions{}); err != nil {
		s.t.Fatal(err)
	}
	s.eventually(func() error {
		_, err := s.c.client.CoreV1().Secrets(s.name).Get(s.t.Context(), "none", metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return err
	})
}

// put makes the source, or makes it anew.
func (s sources) put(name, mark string, kind corev1.SecretType, data map[string]string) {
	s.t.Helper()
	s.remove(name)
	source := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, Type: kind, StringData: data}
	if mark != "" {
		source.Annotations = map[string]string{AnnotationCopyTo: mark}
	}
	if _, err := s.admin.CoreV1().Secrets(s.name).Create(s.t.Context(), source, metav1.CreateOptions{}); err != nil {
		s.t.Fatal(err)
	}
}

func (s sources) remove(name string) {
	s.t.Helper()
	if err := s.admin.CoreV1().Secrets(s.name).Delete(s.t.Context(), name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		s.t.Fatal(err)
	}
}

// sync syncs, expects the code of a failure ("" for none) and returns how many writes that took.
func (b *bundle) sync(code string, want ...SecretCopy) int {
	b.t.Helper()
	b.traffic.take()
	err := b.c.SyncSecrets(b.t.Context(), b.id, want)
	got := ""
	if f := asFailure(err); f != nil {
		got = f.Diagnosis.Code
		if f.Diagnosis.Cause == "" || f.Diagnosis.Fix == "" {
			b.t.Errorf("%+v", f.Diagnosis)
		}
	} else if err != nil {
		b.t.Fatal(err)
	}
	if got != code {
		b.t.Fatalf("sync: %v, want code %q", err, code)
	}
	writes := 0
	for _, line := range b.traffic.take() {
		if !strings.HasPrefix(line, http.MethodGet) {
			writes++
		}
	}
	return writes
}

// copies are the data of the Secrets in the preview's namespace.
func (b *bundle) copies() map[string]string {
	b.t.Helper()
	list, err := b.admin.CoreV1().Secrets(b.id.Namespace).List(b.t.Context(), metav1.ListOptions{})
	if err != nil {
		b.t.Fatal(err)
	}
	found := map[string]string{}
	for _, s := range list.Items {
		var values []string
		for _, key := range slices.Sorted(maps.Keys(s.Data)) {
			values = append(values, key+"="+string(s.Data[key]))
		}
		found[s.Name] = strings.Join(values, " ")
	}
	return found
}

func (b *bundle) expectCopies(want map[string]string) {
	b.t.Helper()
	if diff := cmp.Diff(want, b.copies()); diff != "" {
		b.t.Errorf("copies (-want +got):\n%s", diff)
	}
}

// TestSecretCopies: the copies follow their sources, and nothing is written when they have.
func TestSecretCopies(t *testing.T) {
	t.Parallel()
	b := connect(t)
	s := b.sources()
	b.namespace()
	s.put("acme-db", "12, 4711", corev1.SecretTypeOpaque, map[string]string{"password": "hunter22", "user": "app"})
	s.put("acme-api", "other/web Acme/Web", corev1.SecretTypeOpaque, map[string]string{"key": "abcdef"})
	db, api := SecretCopy{Name: "db", From: "acme-db"}, SecretCopy{Name: "api", From: "acme-api"}

	if n := b.sync("", db, api); n != 2 {
		t.Errorf("%d writes, want 2", n)
	}
	b.expectCopies(map[string]string{"db": "password=hunter22 user=app", "api": "key=abcdef"})
	if n := b.sync("", db, api); n != 0 {
		t.Errorf("%d writes when nothing changed", n)
	}
	if differ, err := b.c.SecretsDiffer(t.Context(), b.id, []SecretCopy{db, api}); differ || err != nil {
		t.Errorf("they differ: %v, %v", differ, err)
	}

	s.put("acme-db", "4711", corev1.SecretTypeOpaque, map[string]string{"password": "changed1"})
	if differ, err := b.c.SecretsDiffer(t.Context(), b.id, []SecretCopy{db, api}); !differ || err != nil {
		t.Errorf("they do not differ: %v, %v", differ, err)
	}
	if n := b.sync("", db, api); n != 1 {
		t.Errorf("%d writes, want 1", n)
	}
	b.expectCopies(map[string]string{"db": "password=changed1", "api": "key=abcdef"})

	s.put("acme-db", "4711", corev1.SecretTypeDockerConfigJson, map[string]string{corev1.DockerConfigJsonKey: `{"auths":{}}`})
	b.sync("", db, api)
	b.expectCopies(map[string]string{"db": `.dockerconfigjson={"auths":{}}`, "api": "key=abcdef"})

	b.sync("", api)
	b.expectCopies(map[string]string{"api": "key=abcdef"})
	b.sync("")
	b.expectCopies(map[string]string{})
	if n := b.sync(""); n != 0 {
		t.Errorf("%d writes for nothing", n)
	}
}

// TestSecretMissing: both the mark and the configuration must agree; when they no longer do, the copy goes.
func TestSecretMissing(t *testing.T) {
	t.Parallel()
	b := connect(t)
	s := b.sources()
	b.namespace()
	want := SecretCopy{Name: "db", From: "acme-db"}
	data := map[string]string{"password": "hunter22"}
	for name, c := range map[string]struct {
		mark string
		kind corev1.SecretType
		want SecretCopy
	}{
		"no mark":               {"", corev1.SecretTypeOpaque, want},
		"another repository":    {"471", corev1.SecretTypeOpaque, want},
		"a longer id":           {"47110 acme/website", corev1.SecretTypeOpaque, want},
		"half a name":           {"web, acme, *", corev1.SecretTypeOpaque, want},
		"a type for a server":   {"4711", corev1.SecretTypeBasicAuth, want},
		"Opaque to pull images": {"4711", corev1.SecretTypeOpaque, SecretCopy{Name: "db", From: "acme-db", Pull: true}},
	} {
		content := data
		if c.kind == corev1.SecretTypeBasicAuth {
			content = map[string]string{"username": "u", "password": "p"}
		}
		s.put("acme-db", c.mark, c.kind, content)
		b.sync(preview.CodeSecretMissing, c.want)
		if got := b.copies(); len(got) != 0 {
			t.Errorf("%s: %v", name, got)
		}
	}
	s.remove("acme-db")
	b.sync(preview.CodeSecretMissing, want)

	s.put("acme-db", "4711", corev1.SecretTypeOpaque, data)
	b.sync("", want)
	s.put("acme-db", "", corev1.SecretTypeOpaque, data)
	if differ, err := b.c.SecretsDiffer(t.Context(), b.id, []SecretCopy{want}); !differ || asFailure(err) == nil {
		t.Errorf("the mark is gone: differ %v, %v", differ, err)
	}
	b.sync(preview.CodeSecretMissing, want)
	b.expectCopies(map[string]string{})
	if differ, err := b.c.SecretsDiffer(t.Context(), b.id, []SecretCopy{want}); differ || asFailure(err) == nil {
		t.Errorf("nothing is left to do: differ %v, %v", differ, err)
	}
}

// TestSecretTaken: a Secret that is not a copy of ours is never touched.
func TestSecretTaken(t *testing.T) {
	t.Parallel()
	b := connect(t)
	s := b.sources()
	b.namespace()
	theirs := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "db", Labels: map[string]string{LabelManagedBy: managedBy}}, StringData: map[string]string{"password": "theirs"}}
	if _, err := b.admin.CoreV1().Secrets(b.id.Namespace).Create(t.Context(), theirs, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	s.put("acme-db", "4711", corev1.SecretTypeOpaque, map[string]string{"password": "hunter22"})
	s.put("acme-api", "4711", corev1.SecretTypeOpaque, map[string]string{"key": "abcdef"})
	b.sync(preview.CodeSecretTaken, SecretCopy{Name: "db", From: "acme-db"}, SecretCopy{Name: "api", From: "acme-api"})
	b.expectCopies(map[string]string{"db": "password=theirs", "api": "key=abcdef"})
	b.sync("")
	b.expectCopies(map[string]string{"db": "password=theirs"})
}

// TestSecretsAreReadByName: in the namespace of the sources nothing is listed or watched, and nothing is written.
func TestSecretsAreReadByName(t *testing.T) {
	t.Parallel()
	b := connect(t)
	s := b.sources()
	b.namespace()
	s.put("acme-db", "4711", corev1.SecretTypeOpaque, map[string]string{"password": "hunter22"})
	b.traffic.take()
	want := []SecretCopy{{Name: "db", From: "acme-db"}, {Name: "api", From: "none"}}
	if err := b.c.SyncSecrets(t.Context(), b.id, want); asFailure(err) == nil {
		t.Error(err)
	}
	allowed := []string{"GET /api/v1/namespaces/" + s.name + "/secrets/acme-db", "GET /api/v1/namespaces/" + s.name + "/secrets/none"}
	for _, line := range b.traffic.take() {
		if strings.Contains(line, "/"+s.name+"/") && !slices.Contains(allowed, line) {
			t.Error(line)
		}
	}
}

// TestSecretsOfAForeignNamespace: nothing is copied to where the preview is not.
func TestSecretsOfAForeignNamespace(t *testing.T) {
	t.Parallel()
	b := connect(t)
	s := b.sources()
	s.put("acme-db", "4711", corev1.SecretTypeOpaque, map[string]string{"password": "hunter22"})
	theirs := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: b.id.Namespace}}
	if _, err := b.admin.CoreV1().Namespaces().Create(t.Context(), theirs, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := b.c.SyncSecrets(t.Context(), b.id, []SecretCopy{{Name: "db", From: "acme-db"}}); err == nil {
		t.Error("copied to a namespace that is somebody else's")
	}
	b.expectCopies(map[string]string{})
}

// TestPullSecret: pods that name no pull secret get ours; what others have given the service account stays.
func TestPullSecret(t *testing.T) {
	t.Parallel()
	b := connect(t)
	s := b.sources()
	s.put("registry", "4711", corev1.SecretTypeDockerConfigJson, map[string]string{corev1.DockerConfigJsonKey: `{"auths":{}}`})
	b.namespace()
	pull := SecretCopy{Name: "pull", From: "registry", Pull: true}
	b.sync("", pull) // right away: its controller may not have made the service account yet
	accounts := b.admin.CoreV1().ServiceAccounts(b.id.Namespace)
	expect := func(want ...string) {
		t.Helper()
		account, err := accounts.Get(t.Context(), defaultAccount, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(pullReferences(want), account.ImagePullSecrets); len(want)+len(account.ImagePullSecrets) > 0 && diff != "" {
			t.Error(diff)
		}
	}
	expect("pull")
	account, err := accounts.Get(t.Context(), defaultAccount, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	account.ImagePullSecrets = append(pullReferences([]string{"theirs"}), account.ImagePullSecrets...)
	if _, err := accounts.Update(t.Context(), account, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if n := b.sync("", pull); n != 0 {
		t.Errorf("%d writes when nothing changed", n)
	}
	pull.Pull = false
	b.sync("", pull)
	expect("theirs")
	pull.Pull = true
	b.sync("", pull)
	expect("theirs", "pull")
	b.sync("")
	expect("theirs")
}
