package logs

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// Line is one line of a container's log.
type Line struct {
	Place
	Pod       string
	Container string
	Level     Level
	Text      string // foreign text, without its time and without an end of line
	Cut       bool   // it was longer than MaxLine
}

// MaxLine is how much of one line is shown, in bytes.
const MaxLine = 16 << 10

// Place is where a line stands in the log of its container: its time, and which of those with the same time it is. Places of one container can be compared.
type Place struct {
	At  time.Time
	Seq int
}

// String gives the place as people link to it.
func (p Place) String() string { return fmt.Sprintf("%d-%d", p.At.UnixNano(), p.Seq) }

// ParsePlace reads what String gives.
func ParsePlace(s string) (Place, bool) {
	nano, seq, ok := strings.Cut(s, "-")
	ns, err := strconv.ParseInt(nano, 10, 64)
	n, seqErr := strconv.Atoi(seq)
	return Place{At: time.Unix(0, ns).UTC(), Seq: n}, ok && err == nil && seqErr == nil && n >= 0
}

// Compare orders places: negative when p stands before other.
func (p Place) Compare(other Place) int {
	if c := p.At.Compare(other.At); c != 0 {
		return c
	}
	return p.Seq - other.Seq
}

// order compares lines of all containers. It is total, so that a page ends at one place and the next begins there.
func order(a, b Line) int {
	if c := a.At.Compare(b.At); c != 0 {
		return c
	}
	if c := strings.Compare(a.Pod+"/"+a.Container, b.Pod+"/"+b.Container); c != 0 {
		return c
	}
	return a.Seq - b.Seq
}

// scanner reads the lines of one run of a container.
type scanner struct {
	pod, container string
	in             *bufio.Reader
	hide           func(string) string
	last           Place
	any            bool
}

func newScanner(pod, container string, in io.Reader, hide func(string) string) *scanner {
	return &scanner{pod: pod, container: container, in: bufio.NewReaderSize(in, 4<<10), hide: hide}
}

// next returns the next line; io.EOF after the last one.
func (s *scanner) next() (Line, error) {
	for {
		raw, cut, err := s.read()
		if err != nil && (len(raw) == 0 || !errors.Is(err, io.EOF)) {
			return Line{}, err // what came of a line before the stream broke is no line
		}
		stamp, text, _ := strings.Cut(raw, " ")
		at, parseErr := time.Parse(time.RFC3339Nano, stamp)
		if parseErr != nil {
			if !s.any {
				continue // the node's words before the log
			}
			at, text = s.last.At, raw
		}
		place := Place{At: at.UTC()}
		if s.any && place.At.Equal(s.last.At) {
			place.Seq = s.last.Seq + 1
		}
		s.last, s.any = place, true
		if len(text) > MaxLine {
			text, cut = strings.ToValidUTF8(text[:MaxLine], ""), true
		}
		text = s.hide(text)
		return Line{Place: place, Pod: s.pod, Container: s.container, Level: LevelOf(text), Text: text, Cut: cut}, nil
	}
}

// read reads up to the end of the line, and keeps no more of it than is shown.
func (s *scanner) read() (text string, cut bool, err error) {
	var b strings.Builder
	for {
		piece, err := s.in.ReadSlice('\n')
		if room := MaxLine + 64 - b.Len(); len(piece) > room {
			piece, cut = piece[:room], true
		}
		b.Write(piece)
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		return strings.ToValidUTF8(strings.TrimRight(b.String(), "\r\n"), "\uFFFD"), cut, err
	}
}
