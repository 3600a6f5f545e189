package usage

import (
	"slices"
	"time"

	"catalyst.dev/catalyst/internal/cluster"
)

// How far apart what is kept lies, and how far back it goes.
const (
	Fine      = 15 * time.Second
	Coarse    = time.Minute
	FineFor   = time.Hour
	CoarseFor = 24 * time.Hour
)

// maxPods bounds whose past is kept of one preview: those that were seen last.
const maxPods = 24

// Point is what was used at a time.
type Point struct {
	At time.Time
	cluster.Amount
}

// series is the past of a pod, or of a preview: the last hour as it was sampled, and a day by the minute, for which the processor's mean is kept and the memory's peak.
type series struct {
	fine, coarse []Point // the oldest first
	minute       minute
}

// minute is the minute that is under way.
type minute struct {
	began time.Time
	sum   cluster.Amount // of the processor; of the memory the peak
	n     int64
}

func (s *series) add(p Point) {
	s.fine = keep(append(s.fine, p), p.At.Add(-FineFor))
	if began := p.At.Truncate(Coarse); began.After(s.minute.began) {
		if s.minute.n > 0 {
			s.coarse = append(s.coarse, s.minute.point())
		}
		s.minute = minute{began: began}
	}
	s.minute.sum.CPU += p.CPU
	s.minute.sum.Memory = max(s.minute.sum.Memory, p.Memory)
	s.minute.n++
	s.coarse = keep(s.coarse, p.At.Add(-CoarseFor))
}

func (m minute) point() Point {
	return Point{m.began, cluster.Amount{CPU: m.sum.CPU / m.n, Memory: m.sum.Memory}}
}

// since gives the points of the range that covers the time wanted. The minute that is under way is among the coarse ones.
func (s *series) since(wanted time.Duration, now time.Time) []Point {
	points := s.fine
	if wanted > FineFor {
		points = s.coarse
		if s.minute.n > 0 {
			points = append(slices.Clone(points), s.minute.point())
		}
	}
	return slices.Clone(keep(points, now.Add(-wanted)))
}

// keep leaves out what is older.
func keep(points []Point, than time.Time) []Point {
	i, _ := slices.BinarySearchFunc(points, than, func(p Point, t time.Time) int { return p.At.Compare(t) })
	return points[i:] // what is left out goes when the array is full
}

// past is that of one preview.
type past struct {
	total series
	pods  map[string]*podPast
	seen  time.Time
}

type podPast struct {
	series
	seen time.Time
}

func (p *past) add(now time.Time, pods []cluster.PodUsage) {
	p.seen = now
	var total cluster.Amount
	for _, u := range pods {
		total = total.Plus(u.Amount)
		one := p.pods[u.Pod]
		if one == nil {
			one = &podPast{}
			p.pods[u.Pod] = one
		}
		one.seen = now
		one.add(Point{now, u.Amount})
	}
	p.total.add(Point{now, total})
	for len(p.pods) > maxPods {
		oldest := ""
		for name, one := range p.pods {
			if oldest == "" || one.seen.Before(p.pods[oldest].seen) {
				oldest = name
			}
		}
		delete(p.pods, oldest)
	}
	for name, one := range p.pods {
		if now.Sub(one.seen) > CoarseFor {
			delete(p.pods, name)
		}
	}
}
