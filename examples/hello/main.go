// Command hello is the sample application of the demo: one page that shows which commit it was built from.
package main

import (
	"fmt"
	"html/template"
	"log"
	"net/http"
	"os"
	"time"
)

// commit is set when the program is built: -ldflags "-X main.commit=SHA".
var commit = "unknown"

var page = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>hello at {{printf "%.7s" .Commit}}</title>
<style>
  :root { color-scheme: light dark }
  body { font: 1.1rem/1.6 system-ui, sans-serif; max-width: 34rem; margin: 12vh auto; padding: 0 1.5rem }
  h1 { font-size: 2.2rem; margin: 0 0 .5rem }
  code { font: .95em ui-monospace, monospace; padding: .15em .4em; border-radius: .3em; background: color-mix(in srgb, currentColor 10%, transparent); overflow-wrap: anywhere }
  dl { display: grid; grid-template-columns: max-content 1fr; gap: .4rem 1.2rem } dd { margin: 0 }
</style>
<h1>{{.Greeting}}</h1>
<p>This page comes from the pull request's own copy of the application.</p>
<dl>
  <dt>Commit</dt><dd><code>{{.Commit}}</code></dd>
  <dt>Environment</dt><dd>{{.Environment}}</dd>
  <dt>Pull request</dt><dd>#{{.PullRequest}}</dd>
  <dt>Pod</dt><dd><code>{{.Pod}}</code>, up {{.Up}}</dd>
</dl>
</html>
`))

func main() {
	started := time.Now()
	pod, err := os.Hostname()
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	http.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		log.Printf("%s %s from %s", r.Method, r.URL.Path, r.RemoteAddr)
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		err := page.Execute(w, map[string]any{
			"Greeting": os.Getenv("GREETING"), "Commit": commit, "Environment": os.Getenv("ENVIRONMENT"),
			"PullRequest": os.Getenv("PULL_REQUEST"), "Pod": pod, "Up": time.Since(started).Round(time.Second),
		})
		if err != nil {
			log.Print(err)
		}
	})
	log.Printf("hello at %s listens on :8080", commit)
	server := &http.Server{Addr: ":8080", ReadHeaderTimeout: 5 * time.Second}
	log.Fatal(server.ListenAndServe())
}
