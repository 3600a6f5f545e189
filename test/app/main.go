// Command app is the application that tests deploy: a tiny web server that can also fail in the ways applications do. It answers
// / with the commit it was built from ($COMMIT), and /healthz.
package main

import (
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	var (
		listen   = flag.String("listen", ":8080", "address to serve on")
		startup  = flag.Duration("startup", 0, "time before the server listens")
		crash    = flag.Duration("crash", -1, "crash after this time, with exit code 3")
		oom      = flag.Bool("oom", false, "take memory until killed")
		sick     = flag.Bool("sick", false, "never answer /healthz with 200")
		exit     = flag.Int("exit", -1, "do nothing but print a line and end with this code: for jobs")
		leak     = flag.Bool("leak", false, "print $CANARY in several encodings and crash, with exit code 4")
		chatter  = flag.Int("chatter", 0, "print this many numbered lines a second, for as long as -chattering says")
		talks    = flag.Duration("chattering", time.Minute, "how long")
		stubborn = flag.Bool("stubborn", false, "ignore SIGTERM")
	)
	flag.Parse()
	commit := os.Getenv("COMMIT")
	slog.Info("starting", "commit", commit, "args", os.Args[1:])

	// As process 1 of a container the program must ask for SIGTERM, or never gets it.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	go func() {
		for range signals {
			if !*stubborn {
				os.Exit(0)
			}
		}
	}()

	if *exit >= 0 {
		fmt.Fprintf(os.Stderr, "job of commit %q ends with code %d\n", commit, *exit)
		os.Exit(*exit)
	}
	if *leak {
		printSecret(os.Getenv("CANARY"))
		os.Exit(4)
	}
	if *crash >= 0 {
		time.AfterFunc(*crash, func() {
			fmt.Fprintln(os.Stderr, "panic: cannot reach the database at db:5432")
			os.Exit(3)
		})
	}
	if *oom {
		var hoard [][]byte
		for {
			page := make([]byte, 4<<20)
			for i := range page {
				page[i] = 1
			}
			hoard = append(hoard, page)
		}
	}
	time.Sleep(*startup)

	http.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		if *sick {
			http.Error(w, "the database is migrating", http.StatusServiceUnavailable)
		}
	})
	http.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, commit) })
	if *chatter > 0 {
		go printLines(*chatter, *talks)
	}
	slog.Info("listening", "address", *listen)
	if err := http.ListenAndServe(*listen, nil); err != nil {
		slog.Error("serve", "address", *listen, "err", err)
		os.Exit(1)
	}
}

// printLines prints numbered lines, perSecond of them, in a hundred pieces each second.
func printLines(perSecond int, lasts time.Duration) {
	started, n := time.Now(), 0
	for range time.Tick(10 * time.Millisecond) {
		since := min(time.Since(started), lasts)
		var piece strings.Builder
		for ; n < int(since.Seconds()*float64(perSecond)); n++ {
			fmt.Fprintf(&piece, "line %09d\n", n)
		}
		fmt.Print(piece.String())
		if since == lasts {
			return
		}
	}
}

// printSecret prints what nobody should, as programs do.
func printSecret(s string) {
	inJSON, _ := json.Marshal(map[string]string{"database": s}) // strings always encode
	fmt.Fprintf(os.Stderr, "panic: dial %s: refused\n", s)
	fmt.Fprintf(os.Stderr, "quoted %q\njson %s\nhex %x\n", s, inJSON, s)
	fmt.Fprintf(os.Stderr, "base64 %s\n", base64.StdEncoding.EncodeToString([]byte(s)))
	fmt.Fprintf(os.Stderr, "header %s\n", base64.StdEncoding.EncodeToString([]byte("user:"+s)))
	fmt.Fprintf(os.Stderr, "url /?q=%s\n", url.QueryEscape(s))
	for _, border := range []int{1 << 10, 4 << 10, 8 << 10, 16 << 10} { // across wherever who reads it cuts
		fmt.Fprintf(os.Stderr, "%s%s\n", strings.Repeat(".", border-len(s)/2), s)
	}
	fmt.Fprintf(os.Stderr, "dial %s: refused\n", s)
}
