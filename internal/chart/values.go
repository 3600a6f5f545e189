package chart

import (
	"encoding/json"
	"fmt"
	"path"

	"sigs.k8s.io/yaml"

	"catalyst.dev/catalyst/internal/preview"
)

// ValuesInput is what the values of a preview are made from.
type ValuesInput struct {
	Base            map[string]any // the operator's values for all previews
	Chart           *Chart         // its Values are the repository's file; its own values.yaml is only looked at
	ImageRepository string         // empty: the chart's own
	ImageTag        string
	Host            string
	IngressClass    string // empty: as the layers below say
	Issuer          string // cert-manager ClusterIssuer; empty: none added
	TLSSecret       string // empty: no TLS section
	Number          int
	Branch          string
}

// Values lays the values of a preview over each other (design, S2): the operator's base, the repository's file, the pull
// request's. Maps are merged, of anything else (lists too) the later one wins; so neither the base nor the repository's file
// can change what is set for the pull request: image, ingress, resources and replicas are the same for every preview.
//
// Two lists get more care, since Helm replaces lists as a whole. ingress.hosts becomes one host, with the other keys
// (paths) of the first host of the chart's defaults and of the layers below, or a plain / when none of them has a host; a
// chart whose hosts are plain strings gets a plain string. All further hosts are dropped: a preview answers under its own
// host only. ingress.tls becomes one entry for the TLS secret, or empty.
//
// serviceAccount.automount is false where the chart has such a value.
//
// Branch names and the like are data and are never parsed. The input is not changed, and the result shares nothing with it.
//
// The two files are foreign, and reading YAML costs many times its size: this belongs into the process that renders. A file that cannot be
// read is a *preview.Failure.
func Values(in ValuesInput) (map[string]any, error) {
	defaults, repository, err := in.Chart.parse()
	if err != nil {
		return nil, err
	}
	image := map[string]any{"tag": in.ImageTag}
	if in.ImageRepository != "" {
		image["repository"] = in.ImageRepository
	}
	ingress := map[string]any{
		"enabled": true,
		"hosts":   []any{host(in.Host, defaults, in.Base, repository)},
		"tls":     []any{},
	}
	if in.IngressClass != "" {
		ingress["className"] = in.IngressClass
	}
	if in.Issuer != "" {
		ingress["annotations"] = map[string]any{"cert-manager.io/cluster-issuer": in.Issuer}
	}
	if in.TLSSecret != "" {
		ingress["tls"] = []any{map[string]any{"secretName": in.TLSSecret, "hosts": []any{in.Host}}}
	}
	own := map[string]any{
		"image":   image,
		"ingress": ingress,
		"resources": map[string]any{
			"limits":   map[string]any{"cpu": "500m", "memory": "512Mi"},
			"requests": map[string]any{"cpu": "100m", "memory": "128Mi"},
		},
		"replicaCount": 1,
		"environment":  "preview",
		"pullRequest":  map[string]any{"number": in.Number, "branch": in.Branch},
		"autoScaling":  map[string]any{"enabled": false},
		"autoscaling":  map[string]any{"enabled": false}, // as `helm create` spells it
	}
	if account, ok := defaults["serviceAccount"].(map[string]any); ok && account["automount"] != nil {
		// The charts of `helm create` ask for a token otherwise, and pods of a preview get none.
		own["serviceAccount"] = map[string]any{"automount": false}
	}
	return Merge(Merge(in.Base, repository), own), nil
}

// parse reads the chart's own values and the repository's.
func (c *Chart) parse() (defaults, repository map[string]any, err error) {
	if c == nil {
		return nil, nil, nil
	}
	for _, f := range c.Files {
		if f.Name != "values.yaml" {
			continue
		}
		if defaults, err = parseValues(f.Data); err != nil {
			return nil, nil, failure(preview.CodeChartInvalid, err,
				fmt.Sprintf("The chart's own values, %s, cannot be read: %v.", path.Join(c.Path, f.Name), err), "Correct the file.")
		}
	}
	if c.Values == nil {
		return defaults, nil, nil
	}
	if repository, err = parseValues(c.Values.Data); err != nil {
		return nil, nil, failure(preview.CodeValues, err, fmt.Sprintf("The values file %s cannot be read: %v.", c.Values.Name, err), "Correct the file.")
	}
	return defaults, repository, nil
}

// parseValues reads values as Helm reads them: numbers keep their written form.
func parseValues(data []byte) (map[string]any, error) {
	values := map[string]any{}
	err := yaml.Unmarshal(data, &values, func(d *json.Decoder) *json.Decoder {
		d.UseNumber()
		return d
	})
	if values == nil {
		values = map[string]any{}
	}
	return values, err
}

// host is the one entry of ingress.hosts.
func host(name string, layers ...map[string]any) any {
	var merged map[string]any
	plain := false
	for _, layer := range layers {
		ingress, _ := layer["ingress"].(map[string]any)
		hosts, _ := ingress["hosts"].([]any)
		if len(hosts) == 0 {
			continue
		}
		switch first := hosts[0].(type) {
		case map[string]any:
			merged, plain = Merge(merged, first), false
		case string:
			merged, plain = nil, true
		}
	}
	if plain {
		return name
	}
	if merged == nil {
		merged = map[string]any{"paths": []any{map[string]any{"path": "/", "pathType": "Prefix"}}}
	}
	merged["host"] = name
	return merged
}

// Merge returns a deep copy of low with high laid over it: maps are merged, of anything else the higher one wins.
func Merge(low, high map[string]any) map[string]any {
	merged := clone(low).(map[string]any)
	for k, v := range high {
		lowMap, isMap := merged[k].(map[string]any)
		if highMap, both := v.(map[string]any); both && isMap {
			merged[k] = Merge(lowMap, highMap)
			continue
		}
		merged[k] = clone(v)
	}
	return merged
}

func clone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		c := make(map[string]any, len(v))
		for k, item := range v {
			c[k] = clone(item)
		}
		return c
	case []any:
		c := make([]any, len(v))
		for i, item := range v {
			c[i] = clone(item)
		}
		return c
	}
	return v
}
