package main

import (
	"archive/tar"
	"fmt"
	"strings"
)

// archives are what a commit's archive can do to whoever unpacks it (S3).
func archives(b bait) []hostile {
	with := func(more ...entry) source {
		return entries(append(chartEntries("templates/a.yaml", object("")), more...)...)
	}
	return []hostile{
		{name: "link to a file", archive: with(entry{name: "chart/templates/leak.yaml", kind: tar.TypeSymlink, link: b.file}), codes: invalid, text: "symbolic link"},
		{name: "link to a folder", archive: with(entry{name: "chart/files", kind: tar.TypeSymlink, link: "/etc"}), codes: invalid, text: "symbolic link"},
		{name: "link to itself", archive: with(entry{name: "chart/files", kind: tar.TypeSymlink, link: "files"}), codes: invalid, text: "symbolic link"},
		{name: "link in the chart's place", archive: entries(entry{name: "chart", kind: tar.TypeSymlink, link: "../../../../etc"}), codes: missing, text: "symbolic link"},
		{name: "file through a link", archive: with(entry{name: "chart/d", kind: tar.TypeSymlink, link: "/tmp"}, entry{name: "chart/d/evil", data: "x"}), codes: invalid, text: "symbolic link"},
		{name: "hard link", archive: with(entry{name: "chart/templates/leak.yaml", kind: tar.TypeLink, link: b.file}), codes: invalid, text: "hard link"},
		{name: "character device", archive: with(entry{name: "chart/zero", kind: tar.TypeChar}), codes: invalid, text: "special file"},
		{name: "block device", archive: with(entry{name: "chart/disk", kind: tar.TypeBlock}), codes: invalid, text: "special file"},
		{name: "pipe", archive: with(entry{name: "chart/templates/pipe.yaml", kind: tar.TypeFifo}), codes: invalid, text: "special file"},
		{name: "way up", archive: with(entry{name: "../../evil", data: "x"}), codes: invalid, text: "not a clean relative path"},
		{name: "way up in the middle", archive: with(entry{name: "chart/a/../../../evil", data: "x"}), codes: invalid, text: "not a clean relative path"},
		{name: "absolute name", archive: with(entry{name: "/tmp/evil", data: "x", whole: true}), codes: invalid, text: "not a clean relative path"},
		{name: "backslashes", archive: with(entry{name: `chart/..\..\evil`, data: "x"}), codes: invalid, text: "not a clean relative path"},
		{name: "second top folder", archive: with(entry{name: "other/evil", data: "x", whole: true}), codes: invalid, text: "outside the top folder"},
		{name: "file twice", archive: with(entry{name: "chart/templates/a.yaml", data: "x"}), codes: invalid, text: "comes twice"},
		{name: "file in a file", archive: with(entry{name: "chart/templates/a.yaml/b", data: "x"}), codes: invalid, text: "comes twice"},
		{name: "very long name", archive: with(entry{name: "chart/" + strings.Repeat("a", 300), data: "x"}), codes: invalid, text: "too long"},
		{name: "zip bomb", archive: stream(8<<30, zeros{}), codes: invalid, text: "more than 209715200 bytes"},
		{name: "too much compressed", archive: stream(190<<20, noise()), codes: invalid, text: "more than 52428800 bytes"},
		{name: "headers without end", archive: headers(), codes: invalid, text: "headers"},
		{name: "size beyond all", archive: claimed(1 << 60), codes: invalid, text: "more than 209715200 bytes"},
		{name: "sparse files", archive: sparse(120, 5<<20), codes: invalid, text: "more than"},
		{name: "one huge sparse file", archive: sparse(1, 5<<30), codes: invalid, text: "more than"},
		{name: "20,001 entries", archive: repeated(20_001, func(i int) entry { return entry{name: fmt.Sprintf("src/%d", i)} }), codes: invalid, text: "more than 20000 entries"},
		{name: "40 folders deep", archive: with(entry{name: "chart/" + strings.Repeat("d/", 40) + "x", data: "x"}), codes: invalid, text: "more than 32 folders"},
		{name: "large file", archive: with(entry{name: "chart/files/large", data: strings.Repeat("x", 5<<20+1)}), codes: invalid, text: "more than 5242880 bytes"},
		{name: "large chart", archive: repeated(3, func(i int) entry {
			return entry{name: fmt.Sprintf("chart/files/%d", i), data: strings.Repeat("x", 4<<20)}
		}), codes: invalid, text: "5000 files and 10 MiB"},
		{name: "chart of many files", archive: repeated(6000, func(i int) entry { return entry{name: fmt.Sprintf("chart/files/%d", i)} }), codes: invalid, text: "5000 files and 10 MiB"},
		{name: "file name with escapes", archive: with(entry{name: "chart/templates/\x1b[31m\u202e.yaml", data: "{{ fail \"x\" }}"}), codes: rendering, text: "x"},
	}
}

// headers is an archive that has no entries and no end.
func headers() source {
	return written(func(out *tar.Writer) error {
		h := &tar.Header{Typeflag: tar.TypeXGlobalHeader, Name: "pax_global_header", PAXRecords: map[string]string{"comment": strings.Repeat("x", 512<<10)}}
		for range 2000 {
			if err := out.WriteHeader(h); err != nil {
				return err
			}
		}
		return nil
	})
}
