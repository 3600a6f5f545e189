package pki

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"testing"
)

func TestEnsure(t *testing.T) {
	t.Parallel()
	o := Options{Dir: t.TempDir(), Cluster: "one", Server: "https://10.250.0.2:6443", NodeName: "node", NodeIP: "10.250.0.2", ServiceIP: "10.150.0.1"}
	if err := Ensure(o); err != nil {
		t.Fatal(err)
	}
	for user, group := range map[string]string{"admin": "system:masters", "kubelet": "system:nodes"} {
		if got := handshake(t, o, "10.250.0.2", user).Subject.Organization; len(got) != 1 || got[0] != group {
			t.Errorf("the API server takes %s for a member of %v, want %s", user, got, group)
		}
	}
	handshake(t, o, "kubernetes.default.svc", "scheduler")
}

func TestEnsureKeepsAuthority(t *testing.T) {
	t.Parallel()
	o := Options{Dir: t.TempDir(), Cluster: "one", NodeName: "node", NodeIP: "10.250.0.2", ServiceIP: "10.150.0.1"}
	files := []string{"ca.crt", "ca.key", "sa.key", "sa.pub", "admin.crt"}
	var before [][]byte
	for range 2 {
		if err := Ensure(o); err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			b, err := os.ReadFile(filepath.Join(o.Dir, f))
			if err != nil {
				t.Fatal(err)
			}
			before = append(before, b)
		}
	}
	for i, f := range files {
		same := bytes.Equal(before[i], before[i+len(files)])
		if want := f != "admin.crt"; same != want {
			t.Errorf("%s stays the same: %v, want %v", f, same, want)
		}
	}
	info, err := os.Stat(filepath.Join(o.Dir, "ca.key"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("ca.key has mode %v", info.Mode())
	}
}

// handshake connects user to the API server by the name host, both checking each other, and gives the certificate the server saw.
func handshake(t *testing.T, o Options, host, user string) *x509.Certificate {
	t.Helper()
	load := func(name string) tls.Certificate {
		c, err := tls.LoadX509KeyPair(filepath.Join(o.Dir, name+".crt"), filepath.Join(o.Dir, name+".key"))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	ca, err := os.ReadFile(filepath.Join(o.Dir, "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	near, far := net.Pipe()
	defer near.Close()
	server := tls.Server(far, &tls.Config{Certificates: []tls.Certificate{load("apiserver")}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert})
	seen := make(chan error, 1)
	go func() { seen <- server.Handshake(); far.Close() }()
	client := tls.Client(near, &tls.Config{Certificates: []tls.Certificate{load(user)}, RootCAs: pool, ServerName: host})
	if err := client.Handshake(); err != nil {
		t.Fatalf("%s connects to %s: %v", user, host, err)
	}
	client.Read(make([]byte, 1)) // takes in what the server still has to say
	if err := <-seen; err != nil {
		t.Fatalf("%s is accepted: %v", user, err)
	}
	return server.ConnectionState().PeerCertificates[0]
}
