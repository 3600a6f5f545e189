package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	t.Setenv("CATALYST_CLUSTER", "mine")
	for _, c := range []struct {
		command string
		args    []string
		want    options
	}{
		{"stop", nil, options{name: "mine", simulated: -1}},
		{"start", []string{"--name", "x", "--node=real", "--port", "90", "--audit"}, options{name: "x", node: "real", simulated: -1, port: 90, audit: true}},
		{"image", []string{"--name", "x", "app:1", "./app", "--flag"}, options{name: "x", simulated: -1, args: []string{"app:1", "./app", "--flag"}}},
		{"kubectl", []string{"-n", "kube-system", "get", "--name", "pods"}, options{name: "mine", simulated: -1, args: []string{"-n", "kube-system", "get", "--name", "pods"}}},
		{"kubectl", []string{"--name=x", "get"}, options{name: "x", simulated: -1, args: []string{"get"}}},
	} {
		got, err := parse(c.command, c.args)
		if err != nil {
			t.Errorf("%s %v: %v", c.command, c.args, err)
			continue
		}
		if len(got.args) == 0 {
			got.args = nil
		}
		if d := cmp.Diff(c.want, got, cmp.AllowUnexported(options{}), cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".output" }, cmp.Ignore())); d != "" {
			t.Errorf("%s %v (-want +got):\n%s", c.command, c.args, d)
		}
	}
	for _, args := range [][]string{{"start", "extra"}, {"start", "--node", "virtual"}, {"status", "-o", "xml"}, {"stop", "--audit"}} {
		if _, err := parse(args[0], args[1:]); err == nil {
			t.Errorf("%v is no error", args)
		}
	}
}
