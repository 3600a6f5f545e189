package render

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"catalyst.dev/catalyst/internal/chart"
)

// Parent and child talk in frames: a kind, a length of four bytes, and that many bytes.
const (
	frameHello    = 'h' // child: it is shut, or could not be
	frameRequest  = 'q' // parent: the request without its files, which follow as they are
	frameProgress = 'p' // child: what it works on now
	frameReply    = 'r' // child: the end
)

// The most each kind of frame may hold.
const (
	maxHello    = 4 << 10
	maxRequest  = 16 << 20
	maxFiles    = 32 << 20 // bytes of all files; package chart allows less
	maxProgress = 1 << 10
	maxReply    = 8 << 20 // JSON can make six bytes of one
)

var errFrame = errors.New("not a frame that is expected here")

func writeFrame(w io.Writer, kind byte, payload []byte) error {
	frame := make([]byte, 5, 5+len(payload))
	frame[0] = kind
	binary.BigEndian.PutUint32(frame[1:], uint32(len(payload)))
	_, err := w.Write(append(frame, payload...))
	return err
}

func writeJSON(w io.Writer, kind byte, v any) error {
	payload, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return writeFrame(w, kind, payload)
}

// readFrame reads a frame of one of the kinds that are expected, each with the most it may hold.
func readFrame(r io.Reader, expected map[byte]uint32) (kind byte, payload []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	most, ok := expected[head[0]]
	if !ok {
		return 0, nil, fmt.Errorf("kind %q: %w", head[0], errFrame)
	}
	size := binary.BigEndian.Uint32(head[1:])
	if size > most {
		return 0, nil, fmt.Errorf("kind %q with %d bytes: %w", head[0], size, errFrame)
	}
	payload = make([]byte, size)
	if _, err := io.ReadFull(r, payload); err != nil {
		return 0, nil, fmt.Errorf("kind %q cut off: %w", head[0], err)
	}
	return head[0], payload, nil
}

// fileHead announces a file whose contents follow.
type fileHead struct {
	Name string
	Size int
}

// wireRequest is the request's frame.
type wireRequest struct {
	Request
	Heads    []fileHead
	Path     string    // of the chart in the repository
	Override *fileHead // the repository's values file; after all others
}

// writeRequest sends a request. The contents of the files go out as they are, so that the parent holds them once only.
func writeRequest(w io.Writer, q Request) error {
	wire := wireRequest{Request: q}
	files := q.Files
	if q.Layers != nil && q.Layers.Chart != nil {
		layers := *q.Layers
		wire.Path = layers.Chart.Path
		if v := layers.Chart.Values; v != nil {
			wire.Override = &fileHead{v.Name, len(v.Data)}
			files = append(files[:len(files):len(files)], *v)
		}
		layers.Chart = nil
		wire.Layers = &layers
	}
	for _, f := range q.Files {
		wire.Heads = append(wire.Heads, fileHead{f.Name, len(f.Data)})
	}
	out := bufio.NewWriter(w)
	if err := writeJSON(out, frameRequest, wire); err != nil {
		return err
	}
	for _, f := range files {
		if _, err := out.Write(f.Data); err != nil {
			return err
		}
	}
	return out.Flush()
}

// readRequest reads what writeRequest wrote. Numbers in values keep their written form.
func readRequest(r io.Reader) (Request, error) {
	_, payload, err := readFrame(r, map[byte]uint32{frameRequest: maxRequest})
	if err != nil {
		return Request{}, fmt.Errorf("read request: %w", err)
	}
	var wire wireRequest
	if err := unmarshal(payload, &wire); err != nil {
		return Request{}, fmt.Errorf("read request: %w", err)
	}
	left := maxFiles
	read := func(h fileHead) (f chart.File, err error) {
		if h.Size < 0 || h.Size > left {
			return f, fmt.Errorf("read request: file %q of %d bytes: %w", h.Name, h.Size, errFrame)
		}
		left -= h.Size
		f = chart.File{Name: h.Name, Data: make([]byte, h.Size)}
		if _, err := io.ReadFull(r, f.Data); err != nil {
			return f, fmt.Errorf("read request: file %q: %w", h.Name, err)
		}
		return f, nil
	}
	q := wire.Request
	for _, h := range wire.Heads {
		f, err := read(h)
		if err != nil {
			return Request{}, err
		}
		q.Files = append(q.Files, f)
	}
	if q.Layers == nil {
		return q, nil
	}
	q.Layers.Chart = &chart.Chart{Path: wire.Path, Files: q.Files}
	if wire.Override != nil {
		f, err := read(*wire.Override)
		if err != nil {
			return Request{}, err
		}
		q.Layers.Chart.Values = &f
	}
	return q, nil
}
