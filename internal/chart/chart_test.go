package chart

import (
	"archive/tar"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"catalyst.dev/catalyst/internal/preview"
)

const meta = "apiVersion: v2\nname: web\nversion: 1.0.0\n"

func TestOpen(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		spec  Spec
		files []string
		want  Chart
	}{
		{
			"usual place", Spec{}, []string{
				"README.md", "x", "charts/README.md", "x", "charts/web/Chart.yaml", meta, "charts/web/values.yaml", "replicaCount: 1000000\n",
				"charts/web/templates/a.yaml", "a", "charts/web/charts/sub/Chart.yaml", meta,
			},
			Chart{
				Path: "charts/web", Files: []File{
					{"Chart.yaml", []byte(meta)}, {"charts/sub/Chart.yaml", []byte(meta)}, {"templates/a.yaml", []byte("a")},
					{"values.yaml", []byte("replicaCount: 1000000\n")},
				},
			},
		},
		{"chart", Spec{}, []string{"chart/Chart.yaml", meta}, Chart{Path: "chart", Files: []File{{"Chart.yaml", []byte(meta)}}}},
		{"deploy/chart", Spec{}, []string{"deploy/chart/Chart.yaml", meta}, Chart{Path: "deploy/chart", Files: []File{{"Chart.yaml", []byte(meta)}}}},
		{"helm", Spec{}, []string{"helm/Chart.yaml", meta}, Chart{Path: "helm", Files: []File{{"Chart.yaml", []byte(meta)}}}},
		{
			"given, and others there", Spec{ChartPath: "ops/web/"}, []string{"chart/Chart.yaml", meta, "ops/web/Chart.yaml", meta},
			Chart{Path: "ops/web", Files: []File{{"Chart.yaml", []byte(meta)}}},
		},
		{
			"the repository itself", Spec{ChartPath: "."}, []string{"Chart.yaml", meta, "templates/a.yaml", "a"},
			Chart{Path: ".", Files: []File{{"Chart.yaml", []byte(meta)}, {"templates/a.yaml", []byte("a")}}},
		},
		{
			"values beside", Spec{ValuesFile: "deploy/preview.yaml"}, []string{"chart/Chart.yaml", meta, "deploy/preview.yaml", "a: {b: 1}\n"},
			Chart{Path: "chart", Files: []File{{"Chart.yaml", []byte(meta)}}, Values: &File{"deploy/preview.yaml", []byte("a: {b: 1}\n")}},
		},
		{
			"values in the chart, empty", Spec{ValuesFile: "chart/preview.yaml"}, []string{"chart/Chart.yaml", meta, "chart/preview.yaml", "# none\n"},
			Chart{Path: "chart", Files: []File{{"Chart.yaml", []byte(meta)}, {"preview.yaml", []byte("# none\n")}}, Values: &File{"chart/preview.yaml", []byte("# none\n")}},
		},
	} {
		got, err := Open(t.Context(), repository(t, c.files...), c.spec)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if diff := cmp.Diff(c.want, *got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// TestOpenFails: each mistake of a repository is a failure with a sentence for people.
func TestOpenFails(t *testing.T) {
	t.Parallel()
	top := "acme-web-0a0a0a0/"
	with := func(entries ...entry) []entry {
		return append([]entry{{name: top, kind: tar.TypeDir}, {name: top + "chart/Chart.yaml", data: meta}}, entries...)
	}
	for _, c := range []struct {
		name    string
		spec    Spec
		entries []entry
		code    string
		cause   string
	}{
		{"none", Spec{}, []entry{{name: top + "README.md", data: "x"}}, preview.CodeChartMissing, "looked for Chart.yaml in chart, charts/*, deploy/chart, helm"},
		{"several", Spec{}, with(entry{name: top + "charts/api/Chart.yaml", data: meta}), preview.CodeChartMissing, "several Helm charts: chart, charts/api"},
		{"given, not there", Spec{ChartPath: "deploy"}, with(), preview.CodeChartMissing, "no chart at deploy"},
		{"given is a file", Spec{ChartPath: "chart/Chart.yaml"}, with(), preview.CodeChartMissing, "no chart at chart/Chart.yaml"},
		{"only a linked chart", Spec{}, []entry{{name: top + "helm", kind: tar.TypeSymlink, link: "ops"}, {name: top + "ops/Chart.yaml", data: meta}}, preview.CodeChartMissing, "helm is a symbolic link → ops"},
		{"given is below a link", Spec{ChartPath: "k8s/web"}, []entry{{name: top + "k8s", kind: tar.TypeSymlink, link: "ops"}}, preview.CodeChartMissing, "k8s is a symbolic link → ops"},
		{"link inside", Spec{}, with(entry{name: top + "chart/templates/x.yaml", kind: tar.TypeSymlink, link: "/etc/passwd"}), preview.CodeChartInvalid, "chart/templates/x.yaml → /etc/passwd"},
		{"link inside the root chart", Spec{ChartPath: "."}, []entry{{name: top + "Chart.yaml", data: meta}, {name: top + "x", kind: tar.TypeSymlink, link: "/etc/passwd"}}, preview.CodeChartInvalid, "x → /etc/passwd"},
		{"hard link inside", Spec{}, with(entry{name: top + "chart/x", kind: tar.TypeLink, link: "y"}), preview.CodeChartInvalid, "a hard link, chart/x → y"},
		{"traversal", Spec{}, with(entry{name: top + "../x", data: "x"}), preview.CodeChartInvalid, "not a clean relative path"},
		{"too large", Spec{}, with(entry{name: top + "chart/big", data: strings.Repeat("x", 6<<20)}), preview.CodeChartInvalid, "the file chart/big: more than 5242880 bytes"},
		{"chart too large", Spec{}, with(several(top+"chart/files/", 3, 4<<20)...), preview.CodeChartInvalid, "5000 files and 10 MiB"},
		{"too many files", Spec{}, with(several(top+"chart/files/", 5001, 0)...), preview.CodeChartInvalid, "5000 files and 10 MiB"},
		{"values missing", Spec{ValuesFile: "v.yaml"}, with(), preview.CodeValues, "v.yaml is not in the repository"},
		{"values a link", Spec{ValuesFile: "v.yaml"}, with(entry{name: top + "v.yaml", kind: tar.TypeSymlink, link: "/etc/passwd"}), preview.CodeValues, "v.yaml is a symbolic link"},
	} {
		patient := DefaultLimits
		patient.Time = time.Hour // thousands of files take their time on a busy machine
		_, err := open(t.Context(), archive(t, c.entries...), c.spec, patient)
		failure, ok := errors.AsType[*preview.Failure](err)
		if !ok {
			t.Errorf("%s: %v is not a failure", c.name, err)
			continue
		}
		d := failure.Diagnosis
		if d.Code != c.code || !strings.Contains(d.Cause, c.cause) || d.Fix == "" || d.Blame == "" {
			t.Errorf("%s: %+v, want %s with %q", c.name, d, c.code, c.cause)
		}
	}
}

// several are n files of the same size.
func several(prefix string, n, size int) []entry {
	entries := make([]entry, n)
	for i := range entries {
		entries[i] = entry{name: fmt.Sprintf("%s%d", prefix, i), data: strings.Repeat("x", size)}
	}
	return entries
}

// TestOpenLinkOutside: links elsewhere in the repository are nobody's business.
func TestOpenLinkOutside(t *testing.T) {
	t.Parallel()
	_, err := Open(t.Context(), archive(t,
		entry{name: "top/chart/Chart.yaml", data: meta},
		entry{name: "top/link", kind: tar.TypeSymlink, link: "/etc/passwd"},
		entry{name: "top/charts/link", kind: tar.TypeSymlink, link: "/etc/passwd"},
	), Spec{})
	must(t, err)
}

// TestOpenOutage: an archive that ends early is GitHub's or the network's problem, and worth another try.
func TestOpenOutage(t *testing.T) {
	t.Parallel()
	_, err := Open(t.Context(), strings.NewReader("502 Bad Gateway"), Spec{})
	if _, isFailure := errors.AsType[*preview.Failure](err); err == nil || isFailure {
		t.Errorf("err = %v, want one that is no failure", err)
	}
}

// TestNothingLeft is not parallel: it gives the process a temporary folder of its own.
func TestNothingLeft(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	_, err := Open(t.Context(), repository(t, "chart/Chart.yaml", meta), Spec{})
	must(t, err)
	_, err = Open(t.Context(), repository(t, "README.md", "x"), Spec{})
	if err == nil {
		t.Error("no chart, no error")
	}
	left, err := os.ReadDir(dir)
	must(t, err)
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
