package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"catalyst.dev/catalyst/client"
)

// errPending ends a command whose work still went on when its time was over.
var errPending = errors.New("it still goes on; ask again, or give it longer with --timeout")

// remote is how commands reach a server.
type remote struct {
	streams Streams
	server  string
	output  string
}

func (r *remote) flags(cmd *cobra.Command) {
	cmd.PersistentFlags().StringVar(&r.server, "server", "", "`URL` of Catalyst; unset: $CATALYST_SERVER, or http://127.0.0.1:8090")
	cmd.PersistentFlags().StringVarP(&r.output, "output", "o", "text", "`format`: text or json")
	cmd.PersistentPreRunE = func(*cobra.Command, []string) error {
		if r.output != "text" && r.output != "json" {
			return &usageError{fmt.Errorf("output %q: expected text or json", r.output)}
		}
		return nil
	}
}

// client returns a client of the server. The token comes from the environment alone: an argument would stand in the list of processes.
func (r *remote) client() (*client.Client, error) {
	server, token := r.server, r.variable("CATALYST_TOKEN")
	if server == "" {
		server = or(r.variable("CATALYST_SERVER"), "http://127.0.0.1:8090")
	}
	r.streams.known.Add(token)
	c, err := client.New(server, token, nil)
	if err != nil {
		return nil, &usageError{err}
	}
	return c, nil
}

// preview returns a client and what the argument names.
func (r *remote) preview(name string) (*client.Client, client.Ref, error) {
	ref, err := client.ParseRef(name)
	if err != nil {
		return nil, ref, &usageError{err}
	}
	c, err := r.client()
	return c, ref, err
}

func (r *remote) variable(name string) string {
	value := ""
	for _, v := range r.streams.Environ {
		if n, text, _ := strings.Cut(v, "="); n == name {
			value = text
		}
	}
	return value
}

// show prints the answer as JSON, or as text for people.
func (r *remote) show(v any, text func(io.Writer) error) error {
	if r.output == "json" {
		e := json.NewEncoder(r.streams.Out)
		e.SetIndent("", "  ")
		return e.Encode(v)
	}
	return text(r.streams.Out)
}

// exactlyOne is cobra.ExactArgs(1) whose error is a mistake on the command line.
func exactlyOne(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return &usageError{fmt.Errorf("%s: expected 1 argument, got %d", cmd.CommandPath(), len(args))}
	}
	return nil
}

// next says what helps after an answer that was not the one asked for.
func next(err error) string {
	var p *client.Problem
	switch {
	case !errors.As(err, &p):
		return ""
	case p.Status == http.StatusUnauthorized:
		return "\nPut a token into CATALYST_TOKEN; docs/access.md says how to get one."
	case p.Status == http.StatusNotFound && strings.Contains(p.Detail, "preview"):
		return "\n`catalyst previews list` shows what you may see."
	}
	return ""
}

func short(sha string) string { return sha[:min(len(sha), 7)] }

// or returns the first text that is not empty.
func or(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

func cause(p client.Preview) string {
	if p.Diagnosis == nil {
		return ""
	}
	return plain(p.Diagnosis.Code + " " + p.Diagnosis.Cause)
}

// ago is how long something is past, for people.
func ago(t time.Time) string {
	d := time.Since(t)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

// plain takes out of foreign text what a terminal would obey.
func plain(s string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsControl(c) && c != '\t' {
			return -1
		}
		return c
	}, s)
}
