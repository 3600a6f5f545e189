package ui

import (
	"fmt"
	"strings"
	"time"

	"catalyst.dev/catalyst/internal/usage"
)

// chart is what was used of one thing, drawn on a field of chartWidth by chartHeight. Everything that it shows stands in a table, too.
type chart struct {
	Name, Class string
	Now, Peak   string
	Top         string // what the upper edge stands for
	Path, Area  string // of the line, and of what lies under it
	Levels      []level
	Marks       []chartMark
	Requests    string // in words; empty: nothing was asked for
	Limits      string
}

// level is a line across the chart.
type level struct {
	Class string
	Y     float64
}

// chartMark is a line down the chart.
type chartMark struct {
	usage.Mark
	X float64
}

const chartWidth, chartHeight = 600, 120

// scale is what a chart is drawn on.
type scale struct {
	from   time.Time
	span   time.Duration
	apart  time.Duration // points that lie further from each other are not joined
	marks  []usage.Mark
	one    func(usage.Point) int64
	words  func(int64) string
	asked  int64
	bound  int64
	name   string
	class  string
	points []usage.Point
}

func (s scale) draw() chart {
	c := chart{Name: s.name, Class: s.class}
	var peak int64
	for _, p := range s.points {
		peak = max(peak, s.one(p))
	}
	top := max(peak+peak/4, 1)
	if s.asked > 0 && s.asked < 4*top {
		top = max(top, s.asked+s.asked/10)
	}
	if s.bound > 0 && s.bound < 2*top {
		top = max(top, s.bound+s.bound/10)
	}
	c.Top, c.Peak = s.words(top), s.words(peak)
	if n := len(s.points); n > 0 {
		c.Now = s.words(s.one(s.points[n-1]))
	}
	y := func(v int64) float64 { return chartHeight * (1 - float64(v)/float64(top)) }
	if s.asked > 0 {
		c.Requests = s.words(s.asked)
		c.Levels = append(c.Levels, level{"asked", y(s.asked)})
	}
	if s.bound > 0 {
		c.Limits = s.words(s.bound)
		if s.bound <= top {
			c.Levels = append(c.Levels, level{"bound", y(s.bound)})
		}
	}
	c.Path, c.Area = s.path(y)
	for _, m := range s.marks {
		c.Marks = append(c.Marks, chartMark{m, s.x(m.At)})
	}
	return c
}

func (s scale) x(t time.Time) float64 {
	return chartWidth * min(1, max(0, float64(t.Sub(s.from))/float64(s.span)))
}

// path joins the points, but not over a time in which nothing was counted.
func (s scale) path(y func(int64) float64) (line, area string) {
	var l, a strings.Builder
	var began, before float64
	for i, p := range s.points {
		x := s.x(p.At)
		switch {
		case i > 0 && p.At.Sub(s.points[i-1].At) <= s.apart:
			fmt.Fprintf(&l, "L%.1f %.1f", x, y(s.one(p)))
			fmt.Fprintf(&a, "L%.1f %.1f", x, y(s.one(p)))
		default:
			if i > 0 {
				fmt.Fprintf(&a, "L%.1f %dL%.1f %dZ", before, chartHeight, began, chartHeight)
			}
			began = x
			fmt.Fprintf(&l, "M%.1f %.1fh.1", x, y(s.one(p))) // a single point is a dot
			fmt.Fprintf(&a, "M%.1f %.1f", x, y(s.one(p)))
		}
		before = x
	}
	if len(s.points) > 0 {
		fmt.Fprintf(&a, "L%.1f %dL%.1f %dZ", before, chartHeight, began, chartHeight)
	}
	return l.String(), a.String()
}
