package app

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/store"
)

// metrics are what /metrics shows. No label holds a repository or a pull request: their number has no bound.
type metrics struct {
	registry   *prometheus.Registry
	deliveries *prometheus.CounterVec
	requests   *prometheus.HistogramVec
	jobs       *prometheus.HistogramVec
	gates      *prometheus.CounterVec
}

func newMetrics(version string, s *store.Store) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "catalyst_webhook_deliveries_total", Help: "Webhook deliveries by outcome.",
		}, []string{"outcome"}),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "catalyst_github_request_seconds", Help: "Requests to GitHub by route and status.", Buckets: []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"method", "route", "status"}),
		jobs: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "catalyst_job_seconds", Help: "Jobs by kind and outcome.", Buckets: []float64{.1, .5, 1, 2, 5, 10, 30, 60, 120, 180, 300},
		}, []string{"kind", "outcome"}),
	}
	m.gates = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "catalyst_github_gate_changes_total", Help: "How often requests to GitHub were held back (limited, down) and let through again (open).",
	}, []string{"state"})
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "catalyst_build_info", Help: "Always 1; the label holds the version.", ConstLabels: prometheus.Labels{"version": version},
	})
	build.Set(1)
	m.registry.MustRegister(m.gates, m.deliveries, m.requests, m.jobs, build, stored{s},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

func (m *metrics) delivery(outcome string) { m.deliveries.WithLabelValues(outcome).Inc() }

func (m *metrics) github(method, route string, status int, took time.Duration) {
	m.requests.WithLabelValues(method, route, strconv.Itoa(status)).Observe(took.Seconds())
}

// gate leaves the gate's name out: there is one for each installation, and their number has no bound.
func (m *metrics) gate(_, state string) { m.gates.WithLabelValues(state).Inc() }

func (m *metrics) job(kind preview.JobKind, outcome string, took time.Duration) {
	m.jobs.WithLabelValues(string(kind), outcome).Observe(took.Seconds())
}

// stored collects, at each scrape, what the database counts.
type stored struct{ store *store.Store }

var (
	previewsDesc = prometheus.NewDesc("catalyst_previews", "Previews by status.", []string{"status"}, nil)
	pendingDesc  = prometheus.NewDesc("catalyst_jobs_pending", "Jobs that wait or run, by kind.", []string{"kind"}, nil)
)

// Describe implements prometheus.Collector.
func (stored) Describe(ch chan<- *prometheus.Desc) {
	ch <- previewsDesc
	ch <- pendingDesc
}

// Collect implements prometheus.Collector. A database that does not answer leaves the values out.
func (c stored) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if counts, err := c.store.CountPreviews(ctx); err == nil {
		for _, s := range statuses {
			ch <- prometheus.MustNewConstMetric(previewsDesc, prometheus.GaugeValue, float64(counts[s]), string(s))
		}
	}
	if counts, err := c.store.CountJobs(ctx); err == nil {
		for _, k := range []preview.JobKind{preview.JobReconcile, preview.JobComment} {
			ch <- prometheus.MustNewConstMetric(pendingDesc, prometheus.GaugeValue, float64(counts[k]), string(k))
		}
	}
}
