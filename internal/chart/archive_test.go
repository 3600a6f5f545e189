package chart

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"testing"
)

// entry is one entry of a test's archive; a name without data and type is a file.
type entry struct {
	name string
	data string
	kind byte
	link string
}

// archive makes what GitHub sends: a global header with the commit, then the entries, whose names are full.
func archive(t testing.TB, entries ...entry) io.Reader {
	t.Helper()
	var buf bytes.Buffer
	zip := gzip.NewWriter(&buf)
	out := tar.NewWriter(zip)
	must(t, out.WriteHeader(&tar.Header{Typeflag: tar.TypeXGlobalHeader, Name: "pax_global_header", PAXRecords: map[string]string{"comment": "abc"}}))
	for _, e := range entries {
		h := &tar.Header{Typeflag: e.kind, Name: e.name, Linkname: e.link, Mode: 0o4777, Size: int64(len(e.data))}
		if e.kind == 0 {
			h.Typeflag = tar.TypeReg
		}
		must(t, out.WriteHeader(h))
		_, err := out.Write([]byte(e.data))
		must(t, err)
	}
	must(t, out.Close())
	must(t, zip.Close())
	return &buf
}

// repository is an archive of plain files under GitHub's top folder; names and contents alternate.
func repository(t testing.TB, files ...string) io.Reader {
	t.Helper()
	entries := []entry{{name: "acme-web-0a0a0a0/", kind: tar.TypeDir}}
	for i := 0; i < len(files); i += 2 {
		entries = append(entries, entry{name: "acme-web-0a0a0a0/" + files[i], data: files[i+1]})
	}
	return archive(t, entries...)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func zipped(t testing.TB, raw []byte) io.Reader {
	t.Helper()
	var buf bytes.Buffer
	zip := gzip.NewWriter(&buf)
	_, err := zip.Write(raw)
	must(t, err)
	must(t, zip.Close())
	return &buf
}
