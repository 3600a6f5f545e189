// Command app is the application that misbehaves: a web server that fails in the ways applications do, as its flags say. What
// it says on its way out are the words that the Go runtime has for what really happened to it.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

type options struct {
	listen, write, dial, lookup, need, say, registry string
	startup, healthAfter, life                       time.Duration
	health, exit, fill                               int
	oom, silent, quiet                               bool
}

func main() {
	var o options
	flag.StringVar(&o.listen, "listen", ":8080", "address to serve on")
	flag.DurationVar(&o.startup, "startup", 0, "time before the server listens")
	flag.IntVar(&o.health, "health", 200, "what /healthz answers")
	flag.DurationVar(&o.healthAfter, "health-after", 0, "time during which /healthz answers 503")
	flag.StringVar(&o.write, "write", "", "file to write first")
	flag.IntVar(&o.fill, "fill", 0, "MiB to write into it")
	flag.StringVar(&o.dial, "dial", "", "address to connect to first")
	flag.StringVar(&o.lookup, "lookup", "", "host name to look up first")
	flag.StringVar(&o.need, "need", "", "environment variable that must be set")
	flag.StringVar(&o.say, "say", "", "line to say first")
	flag.IntVar(&o.exit, "exit", -1, "end with this code")
	flag.DurationVar(&o.life, "life", 0, "time before that")
	flag.BoolVar(&o.oom, "oom", false, "take memory until killed")
	flag.BoolVar(&o.silent, "silent", false, "do nothing, for ever")
	flag.BoolVar(&o.quiet, "quiet", false, "do not say where the server listens")
	flag.StringVar(&o.registry, "registry", "", "be an image registry that refuses everything, on this address")
	flag.Parse()

	// As process 1 of a container the program must ask for SIGTERM, or never gets it.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	go func() { <-ctx.Done(); os.Exit(0) }()
	fmt.Println("starting")
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "fatal:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	if o.registry != "" {
		return http.ListenAndServe(o.registry, http.HandlerFunc(refuse))
	}
	if o.say != "" {
		fmt.Println(o.say)
	}
	if o.need != "" && os.Getenv(o.need) == "" {
		return fmt.Errorf("environment variable %s is not set", o.need)
	}
	if o.write != "" {
		if err := os.WriteFile(o.write, make([]byte, max(1, o.fill<<20)), 0o600); err != nil {
			return err
		}
	}
	if o.lookup != "" {
		if _, err := net.DefaultResolver.LookupHost(ctx, o.lookup); err != nil {
			return err
		}
	}
	if o.dial != "" {
		conn, err := (&net.Dialer{Timeout: 3 * time.Second}).DialContext(ctx, "tcp", o.dial)
		if err != nil {
			return err
		}
		conn.Close()
	}
	if o.exit >= 0 {
		wait(ctx, o.life)
		os.Exit(o.exit)
	}
	for hoard := [][]byte{}; o.oom; {
		page := make([]byte, 4<<20)
		for i := range page {
			page[i] = 1
		}
		hoard = append(hoard, page)
	}
	if o.silent {
		<-ctx.Done()
	}
	wait(ctx, o.startup)
	return serve(ctx, o)
}

func serve(ctx context.Context, o options) error {
	well := time.Now().Add(o.healthAfter)
	http.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		if time.Now().Before(well) {
			http.Error(w, "loading", http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(o.health)
	})
	http.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "hello") })
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.listen)
	if err != nil {
		return err
	}
	if !o.quiet {
		fmt.Println("listening on", o.listen)
	}
	return http.Serve(listener, nil)
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// refuse answers as registries do that do not deliver, by the first word of the repository's name.
func refuse(w http.ResponseWriter, r *http.Request) {
	switch name := strings.TrimPrefix(r.URL.Path, "/v2/"); {
	case name == "":
		w.WriteHeader(http.StatusOK)
	case strings.HasPrefix(name, "denied/"):
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}`)
	case strings.HasPrefix(name, "busy/"):
		http.Error(w, "too many requests", http.StatusTooManyRequests)
	case strings.HasPrefix(name, "broken/"):
		http.Error(w, "down for maintenance", http.StatusServiceUnavailable)
	default:
		http.NotFound(w, r)
	}
}
