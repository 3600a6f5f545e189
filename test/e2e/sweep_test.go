package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"catalyst.dev/catalyst/test/rig"
)

// often makes what happens every few minutes happen every second.
func often(config map[string]any) {
	config["worker"] = map[string]any{"sweep": "1s", "health": "1s"}
}

// TestSweep: what deliveries should have told and never did is found all the same: a pull request opened, one pushed to, one closed.
func TestSweep(t *testing.T) {
	t.Parallel()
	b := setup(t, often)
	b.github.App.SetWebhook("", "") // every delivery is lost
	pull := b.open("Lost", nil)
	b.comment(pull, "| success |", pull.HeadSHA()[:7])
	b.serves(pull, pull.HeadSHA())
	sha := b.push(pull, nil)
	b.comment(pull, "| success |", "`"+sha[:7]+"` · took")
	pull.Close(false)
	b.comment(pull, "| deleted |")
	b.noNamespace()
}

// TestFailedDelivery: a delivery that could not be taken is asked for again.
func TestFailedDelivery(t *testing.T) {
	t.Parallel()
	b := setup(t, often)
	if err := b.server.Stop(); err != nil {
		t.Fatal(err)
	}
	pull := b.open("While away", nil)
	if err := b.github.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.start()
	b.comment(pull, "| success |")
	err := rig.Until(t.Context(), limit, "a redelivery was taken", func() (bool, error) {
		for _, d := range b.github.Deliveries() {
			if d.Redelivery && d.Code == 200 {
				return true, nil
			}
		}
		return false, nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestLeftover: a namespace of ours that nobody answers for is removed; one that only looks like it stays.
func TestLeftover(t *testing.T) {
	t.Parallel()
	b := setup(t, often)
	pull := b.open("Closed long ago", nil)
	b.comment(pull, "| success |")
	pull.Close(false)
	b.comment(pull, "| deleted |")
	b.noNamespace()
	namespace := func(name, instance string) string {
		return fmt.Sprintf("apiVersion: v1\nkind: Namespace\nmetadata:\n  name: %s\n  labels: {catalyst.dev/instance: %s, catalyst.dev/repository-id: '%d', catalyst.dev/pull-request: '%d', app.kubernetes.io/managed-by: catalyst}\n  annotations: {catalyst.dev/repository: %s}\n",
			name, instance, b.github.Repo.ID(), pull.Number(), b.github.Repo.FullName())
	}
	if _, err := b.cluster.KubectlIn(t.Context(), namespace("foreign-testleftover", "somebody-else"), "apply", "-f", "-"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := b.cluster.Kubectl(context.Background(), "delete", "namespace", "foreign-testleftover", "--wait=false"); err != nil {
			t.Error(err)
		}
	})
	if _, err := b.cluster.KubectlIn(t.Context(), namespace("pr-testleftover-1", "testleftover"), "apply", "-f", "-"); err != nil {
		t.Fatal(err)
	}
	b.noNamespace()
	if _, err := b.cluster.Kubectl(t.Context(), "get", "namespace", "foreign-testleftover"); err != nil {
		t.Errorf("the foreign namespace went: %v", err)
	}
}

// TestGuardsChangedByHand: what somebody does to the guards of a preview that nothing happens to is undone by the next sweep.
func TestGuardsChangedByHand(t *testing.T) {
	t.Parallel()
	b := setup(t, often)
	pull := b.open("Left alone", nil)
	b.comment(pull, "| success |")
	const namespace = "pr-testguardschangedbyhand-1"
	kubectl := func(args ...string) string {
		t.Helper()
		out, err := b.cluster.Kubectl(t.Context(), append(args, "-n", namespace)...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	guards := func() string {
		out, err := b.cluster.Kubectl(t.Context(), "get", "networkpolicy/catalyst", "resourcequota/catalyst", "limitrange/catalyst", "-n", namespace, "-o", "jsonpath={.items[*].spec}")
		if err != nil {
			return err.Error() // it is not there
		}
		return out
	}
	before := guards()
	kubectl("patch", "networkpolicy", "catalyst", "-p", `{"spec":{"ingress":[{}],"egress":[{}]}}`)
	kubectl("patch", "resourcequota", "catalyst", "-p", `{"spec":{"hard":{"pods":"1000"}}}`)
	kubectl("delete", "limitrange", "catalyst")
	if err := rig.Until(t.Context(), limit, "the guards are as they were", func() (bool, error) { return guards() == before, nil }); err != nil {
		t.Errorf("%v\nbefore %s\nnow    %s", err, before, guards())
	}
}

// TestQueue: what the limits leave no place for waits in line, says so, and goes when there is a place.
func TestQueue(t *testing.T) {
	t.Parallel()
	b := setup(t, func(config map[string]any) { config["limits"] = map[string]any{"previews": 1} })
	first := b.open("First", nil)
	b.comment(first, "| success |")
	second := b.open("Second", nil)
	b.comment(second, "Preview queued: 1 of 1", "a free preview (1 of 1 in use)", "| queued |")
	third := b.open("Third", nil)
	b.comment(third, "Preview queued: 2 of 2")
	second.Close(false)
	b.comment(third, "Preview queued: 1 of 1")
	first.Close(false)
	b.comment(third, "| success |")
	b.serves(third, third.HeadSHA())
	if strings.Contains(b.namespaces(), "testqueue-2") {
		t.Error("a namespace was made for a pull request that was closed while it waited")
	}
}

// TestDegraded: a running preview that loses its pods is called degraded, and running when it has them back.
func TestDegraded(t *testing.T) {
	t.Parallel()
	b := setup(t, often)
	pull := b.open("Loses its pods", nil)
	b.comment(pull, "| success |")
	patch := func(selector string) {
		t.Helper()
		text := `{"spec":{"strategy":{"type":"Recreate","rollingUpdate":null},"template":{"spec":{"nodeSelector":` + selector + `}}}}`
		if _, err := b.cluster.Kubectl(t.Context(), "patch", "deployment", "hello", "-n", "pr-testdegraded-1", "-p", text); err != nil {
			t.Fatal(err)
		}
	}
	patch(`{"no":"where"}`)
	b.comment(pull, "| degraded |", "hello")
	patch(`null`)
	b.comment(pull, "| success |")
}

// TestLostObject: so is one whose Deployment somebody deletes, though nothing that is left looks bad.
func TestLostObject(t *testing.T) {
	t.Parallel()
	b := setup(t, often)
	pull := b.open("Loses its Deployment", nil)
	b.comment(pull, "| success |")
	at := []string{"deployment", "hello", "-n", "pr-testlostobject-1"}
	saved, err := b.cluster.Kubectl(t.Context(), append([]string{"get", "-o", "yaml"}, at...)...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.cluster.Kubectl(t.Context(), append([]string{"delete"}, at...)...); err != nil {
		t.Fatal(err)
	}
	b.comment(pull, "| degraded |", `Deployment "hello" is gone`)
	if _, err := b.cluster.KubectlIn(t.Context(), saved, "create", "-f", "-"); err != nil {
		t.Fatal(err)
	}
	b.comment(pull, "| success |")
	b.serves(pull, pull.HeadSHA())
}
