// Package pki makes the certificates, keys and kubeconfigs of one cluster. The authority and the key that signs service
// account tokens are made once and kept; everything else is made anew at each start, so nothing in use expires.
package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Options say whom the certificates are for.
type Options struct {
	Dir       string // where certificates and keys go
	Cluster   string // names the context in the kubeconfigs
	Server    string // the API server's URL
	NodeName  string
	NodeIP    string
	ServiceIP string // of the Service "kubernetes"
}

const (
	// MetricsName is what the API server calls the server of metrics.
	MetricsName = "metrics.kube-system.svc"
	// FrontProxy is what the API server calls itself to the servers behind it.
	FrontProxy = "front-proxy-client"
)

const (
	authorityLife = 10 * 365 * 24 * time.Hour
	leafLife      = 365 * 24 * time.Hour
)

// Ensure writes everything the components of a cluster identify themselves with into o.Dir.
func Ensure(o Options) error {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return fmt.Errorf("make certificates in %s: %w", o.Dir, err)
	}
	if err := ensureTokenKey(o.Dir); err != nil {
		return fmt.Errorf("make the service account key in %s: %w", o.Dir, err)
	}
	ca, err := ensureAuthority(o.Dir)
	if err != nil {
		return fmt.Errorf("make the certificate authority in %s: %w", o.Dir, err)
	}
	apiNames := []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"}
	for _, leaf := range []struct {
		file, name, group string
		ips, dns          []string
	}{
		{"apiserver", "kube-apiserver", "", []string{"127.0.0.1", o.NodeIP, o.ServiceIP}, apiNames},
		{"kubelet-serving", "system:node:" + o.NodeName, "system:nodes", []string{o.NodeIP}, []string{o.NodeName}},
		{"metrics", "metrics", "", []string{o.NodeIP}, []string{MetricsName}},
		{"kubelet-client", "kube-apiserver-kubelet-client", "system:masters", nil, nil},
		{"front-proxy-client", FrontProxy, "", nil, nil},
		{"admin", "kubernetes-admin", "system:masters", nil, nil},
		{"controller-manager", "system:kube-controller-manager", "", nil, nil},
		{"scheduler", "system:kube-scheduler", "", nil, nil},
		{"proxy", "system:kube-proxy", "", nil, nil},
		{"kubelet", "system:node:" + o.NodeName, "system:nodes", nil, nil},
	} {
		if err := ca.leaf(o.Dir, leaf.file, leaf.name, leaf.group, leaf.ips, leaf.dns); err != nil {
			return fmt.Errorf("make the certificate %s in %s: %w", leaf.file, o.Dir, err)
		}
	}
	for _, user := range []string{"admin", "controller-manager", "scheduler", "proxy", "kubelet"} {
		if err := writeKubeconfig(o, user); err != nil {
			return err
		}
	}
	return nil
}

type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func ensureAuthority(dir string) (*authority, error) {
	if ca, err := readAuthority(dir); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return ca, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	t := template("catalyst-local-cluster", "", authorityLife)
	t.IsCA, t.BasicConstraintsValid, t.KeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	if err := writeKey(dir, "ca", key); err != nil {
		return nil, err
	}
	if err := writePEM(dir, "ca.crt", "CERTIFICATE", der); err != nil {
		return nil, err
	}
	return readAuthority(dir)
}

func readAuthority(dir string) (*authority, error) {
	cert, err := readPEM(dir, "ca.crt")
	if err != nil {
		return nil, err
	}
	key, err := readPEM(dir, "ca.key")
	if err != nil {
		return nil, err
	}
	var ca authority
	if ca.cert, err = x509.ParseCertificate(cert); err != nil {
		return nil, err
	}
	ca.key, err = x509.ParseECPrivateKey(key)
	return &ca, err
}

// leaf writes file.crt and file.key, signed for both ends of a connection.
func (ca *authority) leaf(dir, file, name, group string, ips, dns []string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	t := template(name, group, leafLife)
	t.KeyUsage = x509.KeyUsageDigitalSignature
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	t.DNSNames = dns
	for _, ip := range ips {
		t.IPAddresses = append(t.IPAddresses, net.ParseIP(ip))
	}
	der, err := x509.CreateCertificate(rand.Reader, t, ca.cert, &key.PublicKey, ca.key)
	if err != nil {
		return err
	}
	if err := writeKey(dir, file, key); err != nil {
		return err
	}
	return writePEM(dir, file+".crt", "CERTIFICATE", der)
}

func template(name, group string, life time.Duration) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)) // crypto/rand does not return errors
	t := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(life),
	}
	if group != "" {
		t.Subject.Organization = []string{group}
	}
	return t
}

// ensureTokenKey keeps an existing key: with a new one every token in the cluster would be void.
func ensureTokenKey(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, "sa.pub")); err == nil {
		return nil
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	if err := writePEM(dir, "sa.key", "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)); err != nil {
		return err
	}
	pub, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return err
	}
	return writePEM(dir, "sa.pub", "PUBLIC KEY", pub)
}

func writeKey(dir, file string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	return writePEM(dir, file+".key", "EC PRIVATE KEY", der)
}

func writePEM(dir, file, kind string, der []byte) error {
	return os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

func readPEM(dir, file string) ([]byte, error) {
	b, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, fmt.Errorf("%s holds no PEM block", filepath.Join(dir, file))
	}
	return block.Bytes, nil
}
