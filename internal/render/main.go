package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"

	"catalyst.dev/catalyst/internal/sandbox"
)

// maxStack ends templates that call themselves without end before they have used up the memory, which would be harder to name.
const maxStack = 128 << 20

// A program that was started with command is the child, whatever it is otherwise. It is so before the rest of the program is initialised, for which it has no
// use: packages are initialised as soon as those that they import are, by their paths, and half of what a small chart costs was initialisation.
func init() {
	if len(os.Args) > 1 && os.Args[1] == command {
		os.Exit(renderOne(os.Args[2:], os.Stdin, os.Stdout))
	}
}

// renderOne is the whole of the child: it shuts itself, renders the one chart that comes in, sends the result out, and returns the exit code. args are those of
// childArgs. Nothing before it reads or writes.
func renderOne(args []string, in io.Reader, out io.Writer) int {
	limits, confined, err := parseArgs(args)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	var h hello
	h.Report, err = sandbox.Enter(sandbox.Limits{Memory: limits.Memory, CPU: limits.Time, Files: openFiles})
	if err != nil {
		h.Error = err.Error()
	}
	settle(limits)
	if err := writeJSON(out, frameHello, h); err != nil || h.Error != "" && confined {
		return 1
	}
	q, err := readRequest(in)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	j := job{request: q, progress: func(what string) {
		_ = writeFrame(out, frameProgress, []byte(limit(what, maxProgress-8))) // if it cannot be sent, neither can the reply
	}}
	if err := send(out, j.run()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// settle makes the Go runtime keep to the limits by itself as long as it can, and the result independent of where it runs.
func settle(l Limits) {
	runtime.GOMAXPROCS(1)
	debug.SetMemoryLimit(l.Memory * 3 / 4)
	debug.SetMaxStack(maxStack)
	time.Local = time.UTC
	slog.SetDefault(slog.New(slog.DiscardHandler)) // and with it what is said through package log
}

// send writes the reply as it is: HTML is not escaped, since that would make it longer.
func send(out io.Writer, r reply) error {
	var payload bytes.Buffer
	e := json.NewEncoder(&payload)
	e.SetEscapeHTML(false)
	if err := e.Encode(r); err != nil {
		return fmt.Errorf("encode reply: %w", err)
	}
	return writeFrame(out, frameReply, payload.Bytes())
}

// childArgs are the arguments behind command.
func childArgs(l Limits, confined bool) []string {
	return []string{l.Time.String(), strconv.FormatInt(l.Memory, 10), strconv.FormatBool(confined)}
}

func parseArgs(args []string) (l Limits, confined bool, err error) {
	if len(args) != 3 {
		return l, true, fmt.Errorf("%s is not for people: the server runs it", command)
	}
	if l.Time, err = time.ParseDuration(args[0]); err != nil {
		return l, true, err
	}
	if l.Memory, err = strconv.ParseInt(args[1], 10, 64); err != nil {
		return l, true, err
	}
	confined, err = strconv.ParseBool(args[2])
	return l, confined, err
}
