package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"catalyst.dev/catalyst/test/browser"
	"catalyst.dev/catalyst/test/fakegithub"
	"catalyst.dev/catalyst/test/rig"
)

// TestByKeyboard is the way of a person with a failed preview and no mouse: from the list to the preview, the cause, the log of the pod that
// ended; somebody mends what was missing; tried again it becomes ready, on a page that nobody loads anew; and then it is deleted.
func TestByKeyboard(t *testing.T) {
	t.Parallel()
	page := chromium(t)
	b := setup(t, func(config map[string]any) { config["access"] = map[string]any{"login_link": true} })
	// It ends at once, until somebody who runs the cluster gives it what it reads its settings from.
	broken := failing(`args: ["-crash=$(CRASH)"]`, "{name: CRASH, valueFrom: {configMapKeyRef: {name: switch, key: crash, optional: true}}}")
	branch, sha := b.github.Change(b.github.Repo.SHA("main"), map[string]string{"chart/templates/deployment.yaml": broken})
	b.image(sha)
	pull := b.github.Repo.OpenPull(fakegithub.PullOptions{Title: "Search that remembers", Author: b.github.Author, Head: branch})
	b.comment(pull, "| failed |")
	namespace := "pr-" + strings.ToLower(b.Name()) + "-1"
	here := fmt.Sprintf("/p/%s/%d", b.github.Repo.FullName(), pull.Number())
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%v\nthe end of Catalyst's log:\n%s", err, b.server.Log())
		}
	}
	press := func(keys ...string) {
		t.Helper()
		for _, key := range keys {
			do(page.Press(key))
		}
	}
	// to presses the key until the focus is where the expression says.
	to := func(key, where string) {
		t.Helper()
		for range 80 {
			press(key)
			var there bool
			do(page.Eval(where, &there))
			if there {
				return
			}
		}
		t.Fatalf("%s does not lead to %s", key, where)
	}
	listens := "document.getElementById('live')?.hidden === false" // the page's script runs

	do(page.Go(b.link()))
	do(page.Until(listens + " && document.body.innerText.includes('Search that remembers')"))
	to("j", "document.activeElement.getAttribute('href') === '"+here+"'")
	press("Enter")
	do(page.Until("location.pathname === '" + here + "' && document.title.toLowerCase().startsWith('failed') && document.body.innerText.includes('What to do') && " + listens))
	press("l")
	do(page.Until("location.pathname === '" + here + "/logs' && document.getElementById('log').innerText.includes('invalid value')"))

	_, err := b.cluster.Kubectl(t.Context(), "-n", namespace, "create", "configmap", "switch", "--from-literal=crash=-1s")
	do(err)
	press("t")
	do(page.Until("location.pathname === '" + here + "' && " + listens))
	press("r")
	do(page.Until("document.activeElement.textContent === 'Retry'"))
	press("Enter")
	do(page.Until("document.title.toLowerCase().startsWith('running')"))
	b.serves(pull, pull.HeadSHA())
	press("l")
	do(page.Until("location.pathname === '" + here + "/logs' && document.getElementById('log').innerText.includes('listening')"))
	press("t")
	do(page.Until("location.pathname === '" + here + "' && " + listens))
	to("Tab", "document.activeElement.textContent === 'Delete…'")
	press("Enter")
	do(page.Until("[...document.querySelectorAll('details[open] button')].some(b => b.textContent === 'Delete the preview')"))
	press("Tab", "Enter")
	b.noNamespace()
	do(page.Until("document.title.toLowerCase().startsWith('deleted')"))
	if said := page.Said(); len(said) > 0 {
		t.Error(said)
	}
}

// chromium is a tab of a browser of the test's own.
func chromium(t *testing.T) *browser.Page {
	t.Helper()
	path, err := browser.Find()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	chrome, err := browser.Start(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = chrome.Close() })
	page, err := chrome.Open()
	if err == nil {
		err = page.Look(browser.Look{Width: 1440, Height: 900})
	}
	if err != nil {
		t.Fatal(err)
	}
	return page
}

// link is the link by which an operator of this machine signs in, once.
func (b *bench) link() string {
	b.Helper()
	var link string
	err := rig.Until(b.Context(), 10*time.Second, "the link to sign in by is in the log", func() (bool, error) {
		link = b.server.LoginLink()
		return link != "", nil
	})
	if err != nil {
		b.Fatalf("%v:\n%s", err, b.server.Log())
	}
	return link
}
