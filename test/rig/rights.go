package rig

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"sync"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"catalyst.dev/catalyst/test/install"
)

// installed are the identities that this process has made, so that a Catalyst that is started again and again does not wait for its own each time.
var installed struct {
	sync.Mutex
	identities map[string]*api.Config
}

// leastRights applies deploy/manifests for the Catalyst of the configuration, and returns the configuration with the kubeconfig of the
// identity that they make, which is kept in dir.
func leastRights(ctx context.Context, dir string, config map[string]any) (map[string]any, error) {
	cluster, _ := config["cluster"].(map[string]any)
	preview, _ := config["preview"].(map[string]any)
	o := install.Options{Instance: "default", Kubeconfig: cluster["kubeconfig"].(string), Domains: []string{preview["domain"].(string)}}
	if instance, ok := config["instance"].(string); ok {
		o.Instance = instance
	}
	root, err := Root()
	if err != nil {
		return nil, err
	}
	installed.Lock()
	defer installed.Unlock()
	key := fmt.Sprintf("%+v", o)
	identity := installed.identities[key]
	if identity == nil {
		if identity, err = install.Apply(ctx, root, o); err != nil {
			return nil, fmt.Errorf("install Catalyst in the cluster: %w", err)
		}
		if installed.identities == nil {
			installed.identities = map[string]*api.Config{}
		}
		installed.identities[key] = identity
	}
	path := filepath.Join(dir, "kubeconfig")
	if err := clientcmd.WriteToFile(*identity, path); err != nil {
		return nil, err
	}
	least := maps.Clone(config)
	least["cluster"] = maps.Clone(cluster)
	least["cluster"].(map[string]any)["kubeconfig"] = path
	return least, nil
}
