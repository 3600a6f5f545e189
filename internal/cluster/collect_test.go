package cluster

import (
	"io"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"catalyst.dev/catalyst/internal/kept"
)

// TestFailureCanBeReadLater: when a preview that failed is gone with its namespace, what its container said, and what the cluster said of it,
// can still be read; without what its Secrets hold.
func TestFailureCanBeReadLater(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	const password = "correct-horse-battery"
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "login"}, StringData: map[string]string{"password": password}}
	if _, err := b.admin.CoreV1().Secrets(b.id.Namespace).Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	files := makeChart(map[string]string{"deployment.yaml": strings.ReplaceAll(deploymentTemplate, `{name: COMMIT, value: {{ .Values.commit | quote }}}`, `{name: COMMIT, value: "`+password+`"}`)})
	if err := b.ready(b.deploy(files, map[string]any{"args": []any{"-crash", "0s"}})); err == nil {
		t.Fatal("it became ready")
	}

	store, err := kept.Open(kept.Options{Dir: t.TempDir(), For: time.Hour, Bytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	papers, err := b.c.Collect(t.Context(), b.id)
	if err != nil {
		t.Fatal(err)
	}
	var given []kept.File
	for _, p := range papers {
		given = append(given, kept.File(p))
	}
	entry := kept.Entry{PreviewID: "p1", DeploymentID: "d1", Reason: kept.Failed}
	if err := store.Keep(entry, given); err != nil {
		t.Fatal(err)
	}
	if err := b.c.DeleteNamespace(t.Context(), b.id); err != nil {
		t.Fatal(err)
	}
	if err := b.c.WaitGone(t.Context(), b.id, time.Minute); err != nil {
		t.Fatal(err)
	}

	entries, err := store.List("p1")
	if err != nil || len(entries) != 1 {
		t.Fatalf("%v, %v", entries, err)
	}
	all := ""
	for _, info := range entries[0].Files {
		f, err := store.Read(entries[0], info.Name)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(f)
		if err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
		all += "== " + info.Name + "\n" + string(text)
	}
	for _, want := range []string{"events.txt", "web.previous.log", "cannot reach the database", "BackOff"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not in what was kept:\n%s", want, all)
		}
	}
	if strings.Contains(all, password) {
		t.Errorf("the password was kept:\n%s", all)
	}
	if papers, err := b.c.Collect(t.Context(), b.id); err != nil || len(papers) != 0 {
		t.Errorf("of a namespace that is gone: %v, %v", papers, err)
	}
}
