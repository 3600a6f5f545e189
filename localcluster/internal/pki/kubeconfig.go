package pki

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
)

const kubeconfig = `apiVersion: v1
kind: Config
clusters: [{name: %[1]q, cluster: {server: %[2]q, certificate-authority-data: %[3]s}}]
users: [{name: %[1]q, user: {client-certificate-data: %[4]s, client-key-data: %[5]s}}]
contexts: [{name: %[1]q, context: {cluster: %[1]q, user: %[1]q}}]
current-context: %[1]q
`

// writeKubeconfig writes user.kubeconfig with the certificate user.crt inside.
func writeKubeconfig(o Options, user string) error {
	var data []any
	for _, file := range []string{"ca.crt", user + ".crt", user + ".key"} {
		b, err := os.ReadFile(filepath.Join(o.Dir, file))
		if err != nil {
			return fmt.Errorf("write kubeconfig of %s: %w", user, err)
		}
		data = append(data, base64.StdEncoding.EncodeToString(b))
	}
	text := fmt.Sprintf(kubeconfig, append([]any{o.Cluster, o.Server}, data...)...)
	if err := os.WriteFile(filepath.Join(o.Dir, user+".kubeconfig"), []byte(text), 0o600); err != nil {
		return fmt.Errorf("write kubeconfig of %s: %w", user, err)
	}
	return nil
}
