package ui

import (
	"encoding/csv"
	"net/http"
	"strconv"
	"time"

	"catalyst.dev/catalyst/internal/cluster"
	"catalyst.dev/catalyst/internal/usage"
)

// resourcesView is what a preview uses of CPU and memory.
type resourcesView struct {
	head
	usage.Report
	Day    bool
	Charts []chart
	Rows   []usage.Point // the newest first
	Step   time.Duration // between two rows
	Hint   string
	Pods   []podView
}

// podView is a pod with its charts.
type podView struct {
	usage.Pod
	Charts []chart
	Now    *cluster.Amount
}

const (
	// mostRows is how many rows the table twin of a chart has at most; the file has all.
	mostRows = 120
	// refreshed is after how many seconds the page is fetched again.
	refreshed = 15
	// idle is the part of what was asked for under which a hint is given.
	idle = 0.2
)

func (u *ui) resources(w http.ResponseWriter, r *http.Request) {
	h, err := u.head(r, "resources")
	if err != nil {
		u.fail(w, r, err)
		return
	}
	v := resourcesView{head: h, Day: r.URL.Query().Get("range") == "24h"}
	since, step := usage.FineFor, usage.Fine
	if v.Day {
		since, step = usage.CoarseFor, usage.Coarse
	}
	if v.Report, err = u.Resources.Of(r.Context(), h.Preview, since); err != nil {
		u.fail(w, r, err)
		return
	}
	if r.URL.Query().Get("view") == "csv" {
		writeCSV(w, v.Report)
		return
	}
	v.fill(time.Now(), since, step)
	u.show(w, r, "resources.html", view{
		Title: "Resources · " + about(h.Preview), State: h.Status, Section: "previews", Live: liveAt(h.Preview), Every: refreshed, Data: v,
	})
}

// fill draws the charts and picks the rows.
func (v *resourcesView) fill(now time.Time, since, step time.Duration) {
	var asked, bound cluster.Amount
	unbound := [2]bool{}
	for _, p := range v.Report.Pods {
		one := podView{Pod: p, Charts: charts(now, since, step, p.Points, v.Marks, p.Requests, p.Limits)}
		if n := len(p.Points); n > 0 && p.Phase != "" && now.Sub(p.Points[n-1].At) < 2*usage.Coarse {
			one.Now = &p.Points[n-1].Amount
		}
		v.Pods = append(v.Pods, one)
		if p.Phase == "Running" || p.Phase == "Pending" {
			asked, bound = asked.Plus(p.Requests), bound.Plus(p.Limits)
			unbound = [2]bool{unbound[0] || p.Limits.CPU == 0, unbound[1] || p.Limits.Memory == 0}
		}
	}
	if unbound[0] {
		bound.CPU = 0
	}
	if unbound[1] {
		bound.Memory = 0
	}
	if len(v.Total) == 0 {
		return
	}
	v.Charts = charts(now, since, step, v.Total, v.Marks, asked, bound)
	v.Hint = hint(v.Total, asked)
	every := (len(v.Total) + mostRows - 1) / mostRows
	v.Step = time.Duration(every) * step
	for i := len(v.Total) - 1; i >= 0; i -= every {
		v.Rows = append(v.Rows, v.Total[i])
	}
}

func charts(now time.Time, since, step time.Duration, points []usage.Point, marks []usage.Mark, asked, bound cluster.Amount) []chart {
	if len(points) == 0 {
		return nil
	}
	s := scale{from: now.Add(-since), span: since, apart: 4 * step, marks: marks, points: points}
	s.name, s.class, s.one, s.words, s.asked, s.bound = "CPU", "cpu", func(p usage.Point) int64 { return p.CPU }, cores, asked.CPU, bound.CPU
	cpu := s.draw()
	s.name, s.class, s.one, s.words, s.asked, s.bound = "Memory", "memory", func(p usage.Point) int64 { return p.Memory }, size, asked.Memory, bound.Memory
	return []chart{cpu, s.draw()}
}

// hint says when much more was asked for than is used: others could have it.
func hint(points []usage.Point, asked cluster.Amount) string {
	var peak cluster.Amount
	for _, p := range points {
		peak = cluster.Amount{CPU: max(peak.CPU, p.CPU), Memory: max(peak.Memory, p.Memory)}
	}
	if asked.Memory > 0 && float64(peak.Memory) < idle*float64(asked.Memory) {
		return "At its peak it used " + size(peak.Memory) + " of the " + size(asked.Memory) + " of memory that it reserves. Smaller requests let more previews run."
	}
	return ""
}

// writeCSV is all that the charts show, for a spreadsheet.
func writeCSV(w http.ResponseWriter, r usage.Report) {
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="resources.csv"`)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	out := csv.NewWriter(w)
	defer out.Flush()
	write := func(pod string, points []usage.Point) {
		for _, p := range points {
			_ = out.Write([]string{stamp(p.At), pod, strconv.FormatInt(p.CPU, 10), strconv.FormatInt(p.Memory, 10)}) // told by Flush to nobody: the reader is gone
		}
	}
	_ = out.Write([]string{"at", "pod", "cpu_millicores", "memory_bytes"})
	write("(all)", r.Total)
	for _, p := range r.Pods {
		write(p.Pod, p.Points)
	}
}
