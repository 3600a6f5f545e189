package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
)

// top is the folder that GitHub puts around a repository.
const top = "acme-web-0a0a0a0/"

// entry is one entry of an archive; without a kind it is a file. Its name is below top unless it is whole.
type entry struct {
	name  string
	data  string
	kind  byte
	link  string
	whole bool
}

// chartFile starts every chart that does not bring its own.
const chartFile = "apiVersion: v2\nname: web\nversion: 1.0.0\n"

// inChart is an archive with a chart of these files, whose names and contents alternate.
func inChart(files ...string) source {
	return entries(chartEntries(files...)...)
}

func chartEntries(files ...string) []entry {
	list := []entry{{name: "chart/", kind: tar.TypeDir}}
	own := false
	for i := 0; i < len(files); i += 2 {
		own = own || files[i] == "Chart.yaml"
		list = append(list, entry{name: "chart/" + files[i], data: files[i+1]})
	}
	if !own {
		list = append(list, entry{name: "chart/Chart.yaml", data: chartFile})
	}
	return list
}

// template is a chart whose one template this is.
func template(text string) source { return inChart("templates/a.yaml", text) }

// source opens an archive. It is made while it is read: what an archive costs must not look like what unpacking it costs.
type source func() io.ReadCloser

// written is an archive that a function writes.
func written(write func(*tar.Writer) error) source {
	return func() io.ReadCloser {
		r, w := io.Pipe()
		go func() {
			zip := gzip.NewWriter(w)
			out := tar.NewWriter(zip)
			err := write(out)
			if err == nil {
				err = out.Close()
			}
			if err == nil {
				err = zip.Close()
			}
			_ = w.CloseWithError(err)
		}()
		return r
	}
}

func entries(list ...entry) source {
	return written(func(out *tar.Writer) error { return put(out, list...) })
}

func put(out *tar.Writer, list ...entry) error {
	for _, e := range list {
		h := &tar.Header{Typeflag: e.kind, Name: top + e.name, Linkname: e.link, Mode: 0o6777, Size: int64(len(e.data))}
		if e.whole {
			h.Name = e.name
		}
		if e.kind == 0 {
			h.Typeflag = tar.TypeReg
		}
		if err := out.WriteHeader(h); err != nil {
			return err
		}
		if _, err := io.WriteString(out, e.data); err != nil {
			return err
		}
	}
	return nil
}

// stream is a chart with one more file of this size, whose content comes from a reader.
func stream(size int64, content io.Reader) source {
	return written(func(out *tar.Writer) error {
		if err := put(out, chartEntries()...); err != nil {
			return err
		}
		if err := out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: top + "large", Mode: 0o644, Size: size}); err != nil {
			return err
		}
		_, err := io.CopyN(out, content, size)
		return err
	})
}

// repeated is a chart with n more files of the same kind.
func repeated(n int, one func(i int) entry) source {
	return written(func(out *tar.Writer) error {
		if err := put(out, chartEntries()...); err != nil {
			return err
		}
		for i := range n {
			if err := put(out, one(i)); err != nil {
				return err
			}
		}
		return nil
	})
}

// claimed is an archive with a file that says it is this large, and is not.
func claimed(size int64) source {
	return func() io.ReadCloser {
		r, w := io.Pipe()
		go func() {
			zip := gzip.NewWriter(w)
			out := tar.NewWriter(zip)
			_ = put(out, chartEntries()...)
			_ = out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: top + "large", Size: size, Format: tar.FormatGNU})
			_, _ = zip.Write(make([]byte, 1024))
			_ = w.CloseWithError(zip.Close())
		}()
		return r
	}
}

type zeros struct{}

// Read implements io.Reader.
func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// noise cannot be compressed.
func noise() io.Reader { return rand.NewChaCha8([32]byte{1}) }

// sparse is an archive of n files that are nothing but a hole, each of the given size: a block of 512 bytes says so.
func sparse(n int, size int64) source {
	return func() io.ReadCloser {
		r, w := io.Pipe()
		go func() {
			zip := gzip.NewWriter(w)
			out := tar.NewWriter(zip)
			_ = put(out, chartEntries()...)
			_ = out.Flush()
			for i := range n {
				_, _ = zip.Write(sparseHeader(fmt.Sprintf("%schart/files/%d", top, i), size))
			}
			_, _ = zip.Write(make([]byte, 1024))
			_ = w.CloseWithError(zip.Close())
		}()
		return r
	}
}

// sparseHeader is a header as old versions of GNU tar write it; the standard library reads such files and does not write them.
func sparseHeader(name string, size int64) []byte {
	b := make([]byte, 512)
	copy(b, name)
	copy(b[100:], "0000644\x000000000\x000000000\x0000000000000\x0000000000000\x00        S")
	copy(b[257:], "ustar  \x00")
	copy(b[386:], fmt.Sprintf("%011o\x00%011o\x00", size, 0)) // one piece: nothing, at the end
	copy(b[483:], fmt.Sprintf("%011o\x00", size))
	sum := 0
	for _, c := range b {
		sum += int(c)
	}
	copy(b[148:], fmt.Sprintf("%06o\x00 ", sum))
	return b
}

// tarball is a vendored dependency.
func tarball(files ...string) string {
	var buf bytes.Buffer
	zip := gzip.NewWriter(&buf)
	out := tar.NewWriter(zip)
	for i := 0; i < len(files); i += 2 {
		_ = out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: files[i], Mode: 0o644, Size: int64(len(files[i+1]))})
		_, _ = io.WriteString(out, files[i+1])
	}
	_ = out.Close()
	_ = zip.Close()
	return buf.String()
}

func nested(n int, open, inner, end string) string {
	return strings.Repeat(open, n) + inner + strings.Repeat(end, n)
}
