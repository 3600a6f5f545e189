package rig

import (
	"context"
	"fmt"
	"maps"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"catalyst.dev/catalyst/test/install"
)

// leastRights applies deploy/manifests for the Catalyst of the configuration, and returns the configuration with the kubeconfig of the
// identity that they make, which is kept in dir. A configuration without a cluster stays as it is, and so does one whose kubeconfig has no
// credentials to apply anything with.
func leastRights(ctx context.Context, dir string, config map[string]any) (map[string]any, error) {
	cluster, _ := config["cluster"].(map[string]any)
	preview, _ := config["preview"].(map[string]any)
	admin, _ := cluster["kubeconfig"].(string)
	domain, _ := preview["domain"].(string)
	if admin == "" || domain == "" {
		return config, nil
	}
	known, err := clientcmd.LoadFromFile(admin)
	if err != nil {
		return nil, fmt.Errorf("read the administrator's kubeconfig: %w", err)
	}
	if !credentials(known) {
		return config, nil
	}
	o := install.Options{Instance: "default", Kubeconfig: admin, Domains: []string{domain}}
	if instance, ok := config["instance"].(string); ok {
		o.Instance = instance
	}
	root, err := Root()
	if err != nil {
		return nil, err
	}
	path, err := install.Kubeconfig(ctx, root, o, dir)
	if err != nil {
		return nil, err
	}
	least := maps.Clone(config)
	least["cluster"] = maps.Clone(cluster)
	least["cluster"].(map[string]any)["kubeconfig"] = path
	return least, nil
}

// credentials reports whether the kubeconfig says who its user is.
func credentials(c *api.Config) bool {
	at := c.Contexts[c.CurrentContext]
	if at == nil || c.AuthInfos[at.AuthInfo] == nil {
		return false
	}
	user := c.AuthInfos[at.AuthInfo]
	return user.Token != "" || user.TokenFile != "" || user.ClientCertificate != "" || len(user.ClientCertificateData) > 0 || user.Exec != nil
}
