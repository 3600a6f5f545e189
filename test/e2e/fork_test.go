package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"catalyst.dev/catalyst/test/fakegithub"
	"catalyst.dev/catalyst/test/rig"
)

// TestFork is a stranger's pull request from its opening to its close: told about and not touched, refused on a reader's word, deployed at exactly the
// commit that a writer allows, and waiting again after a push (A1).
func TestFork(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	mallory, reader := b.github.CreateUser("mallory"), b.github.CreateUser("rita")
	b.github.Repo.AddCollaborator(reader, "read")
	fork := b.github.Repo.Fork(mallory)
	pull := b.github.Repo.OpenPull(fakegithub.PullOptions{
		Title: "A gift", Author: mallory, HeadRepo: fork, Head: "gift",
		Files: fakegithub.Text(map[string]string{"chart/templates/service.yaml": "{{ fail \"the stranger's chart was rendered\" }}"}),
	})
	first := pull.HeadSHA()
	if err := rig.Sample(t.Context(), b.cluster, first); err != nil {
		t.Fatal(err)
	}
	waiting := []string{"| blocked |", "/preview approve " + first}
	b.comment(pull, waiting...)
	b.nothingDone("opened")

	b.tell(pull, mallory, "/preview approve "+first, "confused")
	b.tell(pull, reader, "/preview approve "+first, "confused")
	pull.As(b.github.Author).Label("safe to preview")
	pull.As(b.github.Author).Review("approved", "/preview approve "+first)
	b.tell(pull, b.github.Author, "/preview retry", "confused")
	b.comment(pull, waiting...)
	b.nothingDone("not approved by anybody who may")

	b.tell(pull, b.github.Author, "/preview approve "+first, "rocket")
	b.comment(pull, "| success |", "`"+first[:7]+"`")
	b.serves(pull, first)
	b.runs(first)

	pull.As(mallory).Push(fakegithub.Text(map[string]string{"NOTES.md": "more"}), "More")
	second := pull.HeadSHA()
	if err := rig.Sample(t.Context(), b.cluster, second); err != nil {
		t.Fatal(err)
	}
	b.comment(pull, "| blocked |", "/preview approve "+second)
	b.tell(pull, b.github.Author, "/preview approve "+first, "confused") // too late
	b.comment(pull, "| blocked |", "/preview approve "+second)
	b.serves(pull, first)
	b.runs(first)

	pull.Close(false)
	b.comment(pull, "| deleted |")
	b.noNamespace()
}

// nothingDone checks that nothing was fetched, and that nothing is in the cluster.
func (b *bench) nothingDone(when string) {
	b.Helper()
	if err := b.github.Settle(b.Context()); err != nil {
		b.Fatal(err)
	}
	if n := b.github.Counters()["GET /repos/{owner}/{repo}/tarball/{ref}"]; n != 0 {
		b.Errorf("%s: %d archives were fetched", when, n)
	}
	if got := b.namespaces(); got != "" {
		b.Errorf("%s: there is a namespace: %s", when, got)
	}
}

// runs checks that the first preview's pods are of the commit, and of no other.
func (b *bench) runs(sha string) {
	b.Helper()
	namespace := fmt.Sprintf("pr-%s-1", strings.ToLower(b.Name()))
	images, err := b.cluster.Kubectl(b.Context(), "-n", namespace, "get", "deployments,replicasets", "-o", "jsonpath={.items[*].spec.template.spec.containers[*].image}")
	if err != nil {
		b.Fatal(err)
	}
	for _, image := range strings.Fields(images) {
		if !strings.HasSuffix(image, ":"+sha) {
			b.Errorf("%s runs, want %s alone", image, sha)
		}
	}
	if images == "" {
		b.Error("nothing runs")
	}
}

// tell comments, and waits until a reaction tells what became of it.
func (b *bench) tell(pull *fakegithub.Pull, by *fakegithub.Account, text, reaction string) {
	b.Helper()
	id := pull.As(by).Comment(text)
	var got []string
	if err := rig.Until(b.Context(), limit, "the comment is answered", func() (bool, error) {
		got = pull.Reactions(id)
		return slices.Contains(got, reaction), nil
	}); err != nil {
		b.Fatalf("%s of %s: %v; reactions %v, want %s", text, by.Login(), err, got, reaction)
	}
}
