package cluster

import (
	"strings"
	"testing"
	"time"
)

func TestInstallAndUpgrade(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	b.traffic.take()
	start := time.Now()
	d := b.deploy(web(), nil)
	t.Logf("install: %s, %d requests\n%s", time.Since(start), len(b.traffic.log), strings.Join(b.traffic.take(), "\n"))
	start = time.Now()
	if err := b.c.WaitReady(t.Context(), b.id, d.Objects, time.Minute, func(p Progress) { t.Logf("%s %+v", time.Since(start), p) }); err != nil {
		t.Fatal(err)
	}
	t.Logf("ready: %s\n%s", time.Since(start), strings.Join(b.traffic.take(), "\n"))
	start = time.Now()
	d = b.deploy(web(), map[string]any{"commit": "two"})
	t.Logf("upgrade: %s\n%s", time.Since(start), strings.Join(b.traffic.take(), "\n"))
	if err := b.c.WaitReady(t.Context(), b.id, d.Objects, time.Minute, func(p Progress) { t.Logf("%s %+v", time.Since(start), p) }); err != nil {
		t.Fatal(err)
	}
}
