//go:build killpoints

package killpoints

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"
)

var (
	full   = flag.Bool("full", false, "every point in every way on every database, not a sample")
	update = flag.Bool("update", false, "write testdata/points.txt as it is found")
	atOnce = flag.Int("at-once", 4, "how many cases at once; each is a process of Catalyst or two")
)

// summary is what a run came to.
type summary struct {
	Cases      int     `json:"cases"`
	Healed     int     `json:"healed"`
	Worst      float64 `json:"worst_heal_seconds"`
	WorstCase  string  `json:"worst_case"`
	Points     int     `json:"points"`
	Violations int     `json:"violations"`

	mu sync.Mutex
}

var total summary

func (s *summary) add(name string, took time.Duration, healed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Cases++
	if !healed {
		s.Violations++
		return
	}
	s.Healed++
	if took.Seconds() > s.Worst {
		s.Worst, s.WorstCase = took.Seconds(), name
	}
}

// TestMain prints the summary as the last line.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", fmt.Sprint(*atOnce)); err != nil {
		panic(err)
	}
	code := m.Run()
	if total.Cases > 0 {
		line, err := json.Marshal(&total)
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s\n", line)
	}
	os.Exit(code)
}
