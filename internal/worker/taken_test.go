package worker_test

import (
	"fmt"
	"strings"
	"testing"

	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/test/fakegithub"
)

// TestTakenOver (W6): the configured repository is removed, and another one gets its name, which GitHub then delivers about in good faith. It gets
// nothing, and the reason is kept, until the operator confirms it by its id.
func TestTakenOver(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.until("the name is bound", func() bool {
		list, err := b.store.Bindings(t.Context(), "acme/web", 0)
		return err == nil && len(list) == 1 && list[0].RepositoryID == b.web.ID()
	})
	b.web.Delete()
	b.web = b.github.Account("acme").CreateRepo(fakegithub.RepoOptions{Name: "web", Files: chartFiles})
	b.web.AddCollaborator(b.writer, "write")
	pull := b.web.OpenPull(fakegithub.PullOptions{Author: b.writer, Head: "gift", Files: evil(1)})
	comment := pull.As(b.writer).Comment("/preview deploy")
	if err := b.github.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	refused := map[string]bool{}
	deliveries, err := b.store.Deliveries(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range deliveries {
		if d.Outcome == preview.DeliveryIgnored && strings.Contains(d.Reason, "is not the one that was configured") && strings.Contains(d.Reason, "confirm it with `id: ") {
			refused[d.Event] = true
		}
	}
	if !refused["pull_request"] || !refused["issue_comment"] {
		t.Errorf("refused %v, want the pull request and the command; stored: %+v", refused, deliveries)
	}
	if list, err := b.store.Previews(t.Context(), 10); err != nil || len(list) != 0 {
		t.Errorf("previews %+v, %v", list, err)
	}
	b.untouched("taken over")
	if got := b.comment(pull) + strings.Join(pull.Reactions(comment), ""); got != "" {
		t.Errorf("Catalyst says %q in a repository that is not its own", got)
	}

	if err := b.store.Rebind(t.Context(), "acme/web", b.web.ID()); err != nil {
		t.Fatal(err)
	}
	pull.Push(evil(2), "More")
	b.becomes(pull, preview.StatusRunning)
}

// TestForeignNamespace: a namespace of the preview's name that is somebody else's is left alone, and the preview takes the hashed name; when that is
// somebody else's too, the next; and when all are, people are told.
func TestForeignNamespace(t *testing.T) {
	t.Parallel()
	for foreign := range 4 {
		t.Run(fmt.Sprint(foreign), func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			names := preview.Names("github.com", "acme/web", preview.Key{RepositoryID: b.web.ID(), Number: 1})
			b.ground.foreign = map[string]bool{}
			for _, name := range names[:foreign] {
				b.ground.foreign[name] = true
			}
			pull := b.web.OpenPull(fakegithub.PullOptions{Author: b.writer, Head: "gift", Files: evil(1)})
			if foreign == len(names) {
				p := b.becomes(pull, preview.StatusFailed)
				if p.Diagnosis == nil || p.Diagnosis.Code != preview.CodeNamespace {
					t.Errorf("diagnosis %+v, want %s", p.Diagnosis, preview.CodeNamespace)
				}
				if calls := b.ground.heard(); len(calls) != 0 {
					t.Errorf("the cluster heard %v", calls)
				}
				return
			}
			p := b.becomes(pull, preview.StatusRunning)
			want := names[foreign]
			if p.Namespace != want || p.Host != want+".preview.test" || !strings.Contains(b.comment(pull), p.Host) {
				t.Errorf("namespace %s, host %s, want %s for both; the comment:\n%s", p.Namespace, p.Host, want, b.comment(pull))
			}
			for _, call := range b.ground.heard() {
				if name, made := strings.CutPrefix(call, "make "); made && name != want {
					t.Errorf("the cluster heard %q", call)
				}
			}
		})
	}
}
