package guards

import (
	"context"
	"net/http"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	core      = "/api/v1/namespaces/"
	rbac      = "/apis/rbac.authorization.k8s.io/v1/"
	admission = "/apis/admissionregistration.k8s.io/v1/"
	self      = `{"kind":"ServiceAccount","namespace":"catalyst-guards","name":"catalyst"}`
)

// binding is a RoleBinding or ClusterRoleBinding of a role to a subject.
func binding(role, subject string) string {
	return `{"metadata":{"name":"attack"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"` + role + `"},"subjects":[` + subject + `]}`
}

// made is a namespace to be created.
func made(labels, annotations string) request {
	return request{line: "POST /api/v1/namespaces", body: `{"metadata":{"name":"guards-attack","labels":{` + labels + `},"annotations":{` + annotations + `}}}`}
}

const (
	fenced = `"pod-security.kubernetes.io/enforce":"restricted","pod-security.kubernetes.io/enforce-version":"v1.37"`
	ours   = `"catalyst.dev/instance":"guards"`
	rules  = `"rules":[{"apiGroups":["*"],"resources":["*"],"verbs":["*"]}]`
	hook   = `{"metadata":{"name":"attack"},"webhooks":[{"name":"a.example.com","sideEffects":"None","admissionReviewVersions":["v1"],"clientConfig":{"url":"https://example.com/"}}]}`
	pod    = `{"metadata":{"name":"attack"},"spec":{"containers":[{"name":"a","image":"a"}]}}`
	tokens = `{"spec":{"expirationSeconds":600}}`
)

// escalations are what somebody would try who has Catalyst's token.
var escalations = map[string]request{
	// More rights for everything.
	"bind cluster-admin to itself":  {line: "POST " + rbac + "clusterrolebindings", body: binding("cluster-admin", self)},
	"bind its own roles everywhere": {line: "POST " + rbac + "clusterrolebindings", body: binding("catalyst-guardian", self)},
	"change its own binding":        {line: "PATCH " + rbac + "clusterrolebindings/catalyst-controller-guards", body: `{"subjects":[{"kind":"Group","apiGroup":"rbac.authorization.k8s.io","name":"system:authenticated"}]}`},
	"make a role for everything":    {line: "POST " + rbac + "clusterroles", body: `{"metadata":{"name":"attack"},` + rules + `}`},
	"widen its own role":            {line: "PATCH " + rbac + "clusterroles/catalyst-controller", body: "{" + rules + "}"},
	"widen the guardian's role":     {line: "PATCH " + rbac + "clusterroles/catalyst-guardian", body: "{" + rules + "}"},
	"widen the deployer's role":     {line: "PATCH " + rbac + "clusterroles/catalyst-deployer", body: "{" + rules + "}"},
	"replace the deployer's role":   {line: "PUT " + rbac + "clusterroles/catalyst-deployer", body: `{"metadata":{"name":"catalyst-deployer"},` + rules + `}`},
	"add to an aggregated role":     {line: "POST " + rbac + "clusterroles", body: `{"metadata":{"name":"attack","labels":{"rbac.authorization.k8s.io/aggregate-to-view":"true"}},` + rules + `}`},
	"remove the guardian's role":    {line: "DELETE " + rbac + "clusterroles/catalyst-guardian"},
	"read other roles":              {line: "GET " + rbac + "clusterroles/cluster-admin"},
	"impersonate an administrator":  {line: "GET /api/v1/namespaces/default/secrets", header: "Impersonate-User: system:admin"},
	"impersonate the masters":       {line: "GET /api/v1/namespaces/default/secrets", header: "Impersonate-User: catalyst\nImpersonate-Group: system:masters"},
	"impersonate a deployer":        {line: "GET " + core + preview + "/secrets", header: "Impersonate-User: system:serviceaccount:" + preview + ":" + deployer},
	"impersonate a controller":      {line: "GET /api/v1/secrets", header: "Impersonate-User: system:serviceaccount:kube-system:namespace-controller"},

	// More rights in one namespace.
	"bind itself in kube-system":           {line: "POST " + rbac + "namespaces/kube-system/rolebindings", body: binding("catalyst-guardian", self)},
	"bind itself in a foreign namespace":   {line: "POST " + rbac + "namespaces/" + foreign + "/rolebindings", body: binding("catalyst-guardian", self)},
	"bind itself at another Catalyst's":    {line: "POST " + rbac + "namespaces/" + sibling + "/rolebindings", body: binding("catalyst-guardian", self)},
	"bind itself in its own namespace":     {line: "POST " + rbac + "namespaces/catalyst-guards/rolebindings", body: binding("catalyst-guardian", self)},
	"bind a deployer in kube-system":       {line: "POST " + rbac + "namespaces/kube-system/rolebindings", body: binding("catalyst-deployer", `{"kind":"ServiceAccount","namespace":"kube-system","name":"catalyst-deployer-1"}`)},
	"bind admin in a preview":              {line: "POST " + rbac + "namespaces/" + preview + "/rolebindings", body: binding("admin", self)},
	"bind cluster-admin in a preview":      {line: "POST " + rbac + "namespaces/" + preview + "/rolebindings", body: binding("cluster-admin", self)},
	"bind its controller's role":           {line: "POST " + rbac + "namespaces/" + preview + "/rolebindings", body: binding("catalyst-controller", self)},
	"bind the guardian to everybody":       {line: "POST " + rbac + "namespaces/" + preview + "/rolebindings", body: binding("catalyst-guardian", `{"kind":"Group","apiGroup":"rbac.authorization.k8s.io","name":"system:authenticated"}`)},
	"bind the guardian to pods":            {line: "POST " + rbac + "namespaces/" + preview + "/rolebindings", body: binding("catalyst-guardian", `{"kind":"ServiceAccount","namespace":"`+preview+`","name":"default"}`)},
	"bind the guardian to itself and more": {line: "POST " + rbac + "namespaces/" + preview + "/rolebindings", body: binding("catalyst-guardian", self+`,{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"somebody"}`)},
	"bind the deployer to itself":          {line: "POST " + rbac + "namespaces/" + preview + "/rolebindings", body: binding("catalyst-deployer", self)},
	"bind the deployer to pods":            {line: "POST " + rbac + "namespaces/" + preview + "/rolebindings", body: binding("catalyst-deployer", `{"kind":"ServiceAccount","namespace":"`+preview+`","name":"default"}`)},
	"bind a deployer of elsewhere":         {line: "POST " + rbac + "namespaces/" + preview + "/rolebindings", body: binding("catalyst-deployer", `{"kind":"ServiceAccount","namespace":"`+foreign+`","name":"catalyst-deployer-1"}`)},
	"bind a user named like a deployer":    {line: "POST " + rbac + "namespaces/" + preview + "/rolebindings", body: binding("catalyst-deployer", `{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"catalyst-deployer-1"}`)},
	"change a binding of a preview":        {line: "PATCH " + rbac + "namespaces/" + preview + "/rolebindings/catalyst-guardian", body: `{"subjects":[]}`},
	"make a role in a preview":             {line: "POST " + rbac + "namespaces/" + preview + "/roles", body: `{"metadata":{"name":"attack"},` + rules + `}`},
	"remove a binding in kube-system":      {line: "DELETE " + rbac + "namespaces/kube-system/rolebindings/system::leader-locking-kube-scheduler"},

	// Namespaces.
	"make a namespace without a label": made(fenced, ""),
	"make one for another Catalyst":    made(fenced+`,"catalyst.dev/instance":"other"`, ""),
	"make one without Pod Security":    made(ours, ""),
	"make a privileged one":            made(ours+`,"pod-security.kubernetes.io/enforce":"privileged","pod-security.kubernetes.io/enforce-version":"v1.37"`, ""),
	"make one of a version to come":    made(ours+`,"pod-security.kubernetes.io/enforce":"restricted","pod-security.kubernetes.io/enforce-version":"latest"`, ""),
	"make one for production's host":   made(ours+","+fenced, `"catalyst.dev/host":"www.example.com"`),
	"make one for all previews' hosts": made(ours+","+fenced, `"catalyst.dev/host":"preview.localhost"`),
	"take a foreign namespace over":    {line: "PATCH /api/v1/namespaces/" + foreign, body: `{"metadata":{"labels":{` + ours + "," + fenced + `}}}`},
	"take another Catalyst's over":     {line: "PATCH /api/v1/namespaces/" + sibling, body: `{"metadata":{"labels":{` + ours + `}}}`},
	"take kube-system over":            {line: "PATCH /api/v1/namespaces/kube-system", body: `{"metadata":{"labels":{` + ours + "," + fenced + `}}}`},
	"annotate a foreign namespace":     {line: "PATCH /api/v1/namespaces/" + foreign, body: `{"metadata":{"annotations":{"a":"b"}}}`},
	"give a preview away":              {line: "PATCH /api/v1/namespaces/" + preview, body: `{"metadata":{"labels":{"catalyst.dev/instance":"other"}}}`},
	"change whose a preview is":        {line: "PATCH /api/v1/namespaces/" + preview, body: `{"metadata":{"labels":{"catalyst.dev/repository-id":"2"}}}`},
	"forget whose a preview is":        {line: "PATCH /api/v1/namespaces/" + preview, body: `{"metadata":{"labels":{"catalyst.dev/pull-request":null}}}`},
	"make a preview privileged":        {line: "PATCH /api/v1/namespaces/" + preview, body: `{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":"privileged"}}}`},
	"take Pod Security off a preview":  {line: "PATCH /api/v1/namespaces/" + preview, body: `{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":null}}}`},
	"unpin Pod Security":               {line: "PATCH /api/v1/namespaces/" + preview, body: `{"metadata":{"labels":{"pod-security.kubernetes.io/enforce-version":null}}}`},
	"give a preview production's host": {line: "PATCH /api/v1/namespaces/" + preview, body: `{"metadata":{"annotations":{"catalyst.dev/host":"www.example.com"}}}`},
	"delete a foreign namespace":       {line: "DELETE /api/v1/namespaces/" + foreign},
	"delete another Catalyst's":        {line: "DELETE /api/v1/namespaces/" + sibling},
	"delete kube-system":               {line: "DELETE /api/v1/namespaces/kube-system"},
	"delete its own namespace":         {line: "DELETE /api/v1/namespaces/catalyst-guards"},
	"delete many namespaces":           {line: "DELETE /api/v1/namespaces"},
	"finalize a namespace":             {line: "PUT /api/v1/namespaces/" + preview + "/finalize", body: `{"metadata":{"name":"` + preview + `"},"spec":{"finalizers":[]}}`},
	"change the status of a namespace": {line: "PATCH /api/v1/namespaces/" + preview + "/status", body: `{"status":{"phase":"Terminating"}}`},

	// Secrets and tokens.
	"read a secret in default":          {line: "GET " + core + "default/secrets/secret"},
	"read a foreign secret":             {line: "GET " + core + foreign + "/secrets/secret"},
	"read another Catalyst's secret":    {line: "GET " + core + sibling + "/secrets/secret"},
	"list all secrets":                  {line: "GET /api/v1/secrets"},
	"watch all secrets":                 {line: "GET /api/v1/secrets?watch=true"},
	"list the secrets of kube-system":   {line: "GET " + core + "kube-system/secrets"},
	"list its own secrets":              {line: "GET " + core + "catalyst-guards/secrets"},
	"write a secret in default":         {line: "POST " + core + "default/secrets", body: `{"metadata":{"name":"attack"}}`},
	"have a token put into a secret":    {line: "POST " + core + preview + "/secrets", body: `{"type":"kubernetes.io/service-account-token","metadata":{"name":"attack","annotations":{"kubernetes.io/service-account.name":"default"}}}`},
	"mint a token in kube-system":       {line: "POST " + core + "kube-system/serviceaccounts/namespace-controller/token", body: tokens},
	"mint a token of its own":           {line: "POST " + core + "catalyst-guards/serviceaccounts/catalyst/token", body: tokens},
	"mint a token of pods":              {line: "POST " + core + preview + "/serviceaccounts/default/token", body: tokens},
	"mint a token for a day":            {line: "POST " + core + preview + "/serviceaccounts/" + deployer + "/token", body: `{"spec":{"expirationSeconds":86400}}`},
	"mint a foreign token":              {line: "POST " + core + foreign + "/serviceaccounts/default/token", body: tokens},
	"make an account in kube-system":    {line: "POST " + core + "kube-system/serviceaccounts", body: `{"metadata":{"name":"catalyst-deployer-1"}}`},
	"make an account of another name":   {line: "POST " + core + preview + "/serviceaccounts", body: `{"metadata":{"name":"attack"}}`},
	"read configuration in kube-system": {line: "GET " + core + "kube-system/configmaps/extension-apiserver-authentication"},

	// Code in the cluster.
	"make a webhook that sees everything": {line: "POST " + admission + "mutatingwebhookconfigurations", body: hook},
	"make a webhook that stops all":       {line: "POST " + admission + "validatingwebhookconfigurations", body: hook},
	"loosen the policy that holds it":     {line: "PATCH " + admission + "validatingadmissionpolicies/catalyst-self-guard-guards", body: `{"spec":{"failurePolicy":"Ignore"}}`},
	"unbind the policy that holds it":     {line: "DELETE " + admission + "validatingadmissionpolicybindings/catalyst-self-guard-guards"},
	"only audit what charts do":           {line: "PATCH " + admission + "validatingadmissionpolicybindings/catalyst-previews-pods", body: `{"spec":{"validationActions":["Audit"]}}`},
	"make a policy of its own":            {line: "POST " + admission + "validatingadmissionpolicies", body: `{"metadata":{"name":"attack"}}`},
	"take over a group of the API":        {line: "POST /apis/apiregistration.k8s.io/v1/apiservices", body: `{"metadata":{"name":"v1.attack.example.com"}}`},
	"make a kind":                         {line: "POST /apis/apiextensions.k8s.io/v1/customresourcedefinitions", body: `{"metadata":{"name":"attacks.example.com"}}`},
	"run a pod in kube-system":            {line: "POST " + core + "kube-system/pods", body: pod},
	"run a pod in default":                {line: "POST " + core + "default/pods", body: pod},
	"run a pod in a preview":              {line: "POST " + core + preview + "/pods", body: pod},
	"run a pod on every node":             {line: "POST /apis/apps/v1/namespaces/kube-system/daemonsets", body: `{"metadata":{"name":"attack"}}`},
	"change a deployment of a preview":    {line: "PATCH /apis/apps/v1/namespaces/" + preview + "/deployments/web", body: `{"spec":{"replicas":9}}`},
	"change CoreDNS":                      {line: "PATCH /apis/apps/v1/namespaces/kube-system/deployments/coredns", body: `{"spec":{"replicas":0}}`},
	"execute in a pod":                    {line: "POST " + core + preview + "/pods/web/exec?command=sh"},
	"attach to a pod":                     {line: "POST " + core + preview + "/pods/web/attach"},
	"forward a port":                      {line: "POST " + core + preview + "/pods/web/portforward"},
	"debug a pod":                         {line: "PATCH " + core + preview + "/pods/web/ephemeralcontainers", body: `{}`},
	"reach a pod through the API server":  {line: "GET " + core + preview + "/pods/web/proxy/"},
	"reach a service through it":          {line: "GET " + core + "kube-system/services/kube-dns/proxy/"},
	"read logs elsewhere":                 {line: "GET " + core + "kube-system/pods/coredns/log"},
	"list all pods":                       {line: "GET /api/v1/pods"},

	// Nodes, certificates, and what is the cluster's.
	"read a node":                        {line: "GET /api/v1/nodes/node"},
	"watch nodes":                        {line: "GET /api/v1/nodes?watch=true"},
	"reach a kubelet":                    {line: "GET /api/v1/nodes/node/proxy/pods"},
	"change a node":                      {line: "PATCH /api/v1/nodes/node", body: `{"spec":{"unschedulable":true}}`},
	"remove a node":                      {line: "DELETE /api/v1/nodes/node"},
	"ask for a certificate":              {line: "POST /apis/certificates.k8s.io/v1/certificatesigningrequests", body: `{"metadata":{"name":"attack"},"spec":{"request":"YQ==","signerName":"kubernetes.io/kube-apiserver-client","usages":["client auth"]}}`},
	"approve a certificate":              {line: "PATCH /apis/certificates.k8s.io/v1/certificatesigningrequests/attack/approval", body: `{}`},
	"take the scheduler's lease":         {line: "PATCH /apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-scheduler", body: `{}`},
	"make a volume of a node's disk":     {line: "POST /api/v1/persistentvolumes", body: `{"metadata":{"name":"attack"}}`},
	"make a storage class":               {line: "POST /apis/storage.k8s.io/v1/storageclasses", body: `{"metadata":{"name":"attack"},"provisioner":"a"}`},
	"make a priority":                    {line: "POST /apis/scheduling.k8s.io/v1/priorityclasses", body: `{"metadata":{"name":"attack"},"value":1}`},
	"make an ingress class":              {line: "POST /apis/networking.k8s.io/v1/ingressclasses", body: `{"metadata":{"name":"attack"}}`},
	"change the priorities of requests":  {line: "PATCH /apis/flowcontrol.apiserver.k8s.io/v1/flowschemas/exempt", body: `{}`},
	"read the metrics of the API server": {line: "GET /metrics"},
	"read its profile":                   {line: "GET /debug/pprof/goroutine"},

	// The guards of a preview, and the network.
	"remove a preview's network policy": {line: "DELETE /apis/networking.k8s.io/v1/namespaces/" + preview + "/networkpolicies/catalyst"},
	"open the network of kube-system":   {line: "POST /apis/networking.k8s.io/v1/namespaces/kube-system/networkpolicies", body: `{"metadata":{"name":"attack"},"spec":{"podSelector":{},"ingress":[{}]}}`},
	"remove a preview's quota":          {line: "DELETE " + core + preview + "/resourcequotas/catalyst"},
	"say that nothing is used":          {line: "PATCH " + core + preview + "/resourcequotas/catalyst/status", body: `{"status":{"used":{}}}`},
	"make a service":                    {line: "POST " + core + preview + "/services", body: `{"metadata":{"name":"attack"},"spec":{"type":"LoadBalancer","ports":[{"port":80}]}}`},
	"lead a service elsewhere":          {line: "POST " + core + "kube-system/endpoints", body: `{"metadata":{"name":"kube-dns"}}`},
	"answer for production's host":      {line: "POST /apis/networking.k8s.io/v1/namespaces/" + preview + "/ingresses", body: `{"metadata":{"name":"attack"}}`},
	"write events":                      {line: "POST " + core + "default/events", body: `{"metadata":{"name":"attack"}}`},
}

// TestCatalystsTokenIsNotEnough makes every attempt as Catalyst. The API server refuses each, and nothing has changed afterwards.
func TestCatalystsTokenIsNotEnough(t *testing.T) {
	t.Parallel()
	b := setup(t)
	client := b.as(b.token)
	if len(escalations) < 60 {
		t.Errorf("%d attempts", len(escalations))
	}
	var reasons strings.Builder
	for name, r := range escalations {
		code, said, err := r.send(t.Context(), b.host, client)
		reasons.WriteString(said + "\n")
		if err != nil || code != http.StatusForbidden {
			t.Errorf("%s: %s is answered %d %s, %v", name, r.line, code, said, err)
		}
		if strings.Contains(said, "resulted in error") {
			t.Errorf("%s is refused by mistake: %s", name, said)
		}
	}
	t.Logf("%d attempts refused", len(escalations))
	for _, rule := range b.selfGuard(t) {
		if rule != beyondRights && !strings.Contains(reasons.String(), rule) {
			t.Errorf("no attempt is refused because %q: the policy could lose that rule unseen", rule)
		}
	}
	if _, err := b.admin.CoreV1().Namespaces().Get(t.Context(), "guards-attack", metav1.GetOptions{}); err == nil {
		t.Error("a namespace was made")
		_ = b.admin.CoreV1().Namespaces().Delete(context.Background(), "guards-attack", metav1.DeleteOptions{})
	}
}

// beyondRights is the rule of catalyst-self-guard that no attempt comes to: the roles refuse before it is asked.
const beyondRights = "Catalyst writes no objects of the whole cluster but namespaces"

// selfGuard is what the policy that holds Catalyst says, rule by rule.
func (b *bench) selfGuard(t *testing.T) []string {
	t.Helper()
	policy, err := b.admin.AdmissionregistrationV1().ValidatingAdmissionPolicies().Get(t.Context(), "catalyst-self-guard-"+instance, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var rules []string
	for _, v := range policy.Spec.Validations {
		rules = append(rules, v.Message)
	}
	return rules
}

// TestCatalystMayDoItsWork: the same requests, as they are meant, go through. So the refusals above are not for want of a valid token.
func TestCatalystMayDoItsWork(t *testing.T) {
	t.Parallel()
	b := setup(t)
	client := b.as(b.token)
	for _, r := range []request{
		{line: "POST /api/v1/namespaces?dryRun=All", body: made(ours+","+fenced, `"catalyst.dev/host":"pr-web-1.preview.localhost"`).body},
		{line: "POST /api/v1/namespaces?dryRun=All", body: strings.ReplaceAll(made(ours+","+fenced, "").body, "restricted", "baseline")},
		{line: "PATCH /api/v1/namespaces/" + preview + "?dryRun=All", body: `{"metadata":{"annotations":{"catalyst.dev/host":"pr-web-2.preview.localhost"}}}`},
		{line: "DELETE /api/v1/namespaces/" + preview + "?dryRun=All"},
		{line: "POST " + rbac + "namespaces/" + preview + "/rolebindings?dryRun=All", body: binding("catalyst-guardian", self)},
		{line: "POST " + rbac + "namespaces/" + preview + "/rolebindings?dryRun=All", body: binding("catalyst-deployer", `{"kind":"ServiceAccount","namespace":"`+preview+`","name":"catalyst-deployer-7"}`)},
		{line: "POST " + core + preview + "/serviceaccounts?dryRun=All", body: `{"metadata":{"name":"catalyst-deployer-7"}}`},
		{line: "POST " + core + preview + "/serviceaccounts/" + deployer + "/token", body: tokens},
		{line: "GET " + core + preview + "/secrets/secret"},
		{line: "POST " + core + preview + "/secrets?dryRun=All", body: `{"metadata":{"name":"copied"}}`},
	} {
		if code, said, err := r.send(t.Context(), b.host, client); err != nil || code >= http.StatusBadRequest {
			t.Errorf("%s is answered %d %s, %v", r.line, code, said, err)
		}
	}
}
