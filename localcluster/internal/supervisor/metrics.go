package supervisor

import "encoding/base64"

// metrics gives the objects that lead from the API server to the server of metrics: a Service without pods whose one endpoint is the node, and the API itself.
func metrics(ip string, port int, ca []byte) []placed {
	const space, name = "kube-system", "metrics"
	labels := obj{"kubernetes.io/service-name": name}
	return []placed{
		{"/api/v1/namespaces/" + space + "/services/" + name, obj{
			"apiVersion": "v1", "kind": "Service", "metadata": obj{"name": name, "namespace": space},
			"spec": obj{"ports": []obj{{"name": "https", "port": 443, "targetPort": port, "protocol": "TCP"}}},
		}},
		{"/apis/discovery.k8s.io/v1/namespaces/" + space + "/endpointslices/" + name, obj{
			"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": obj{"name": name, "namespace": space, "labels": labels},
			"addressType": "IPv4", "endpoints": []obj{{"addresses": []string{ip}}},
			"ports": []obj{{"name": "https", "port": port, "protocol": "TCP"}},
		}},
		{"/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io", obj{
			"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": obj{"name": "v1beta1.metrics.k8s.io"},
			"spec": obj{
				"group": "metrics.k8s.io", "version": "v1beta1", "groupPriorityMinimum": 100, "versionPriority": 100,
				"caBundle": base64.StdEncoding.EncodeToString(ca), "service": obj{"name": name, "namespace": space, "port": 443},
			},
		}},
	}
}
