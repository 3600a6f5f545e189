package diagnose_test

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"catalyst.dev/catalyst/internal/diagnose"
	"catalyst.dev/catalyst/internal/preview"
)

// second adds a Deployment with one pod to the release, and changes it as release would.
func second(name string, changes ...func(*diagnose.Observed)) func(*diagnose.Observed) {
	return func(o *diagnose.Observed) {
		other := release(changes...)
		text, _ := json.Marshal(other) // plain data always encodes
		renamed := strings.NewReplacer(`"web"`, `"`+name+`"`, `"web-1"`, `"`+name+`-1"`, `"uid":"p"`, `"uid":"p2"`, `"uid":"d"`, `"uid":"d2"`).Replace(string(text))
		other = diagnose.Observed{}
		_ = json.Unmarshal([]byte(renamed), &other)
		o.Objects, o.Pods = append(o.Objects, other.Objects...), append(o.Pods, other.Pods...)
		o.Events, o.Logs = append(o.Events, other.Events...), append(o.Logs, other.Logs...)
		if other.Nodes.Known {
			o.Nodes = other.Nodes
		}
	}
}

func needs(names ...string) func(*diagnose.Observed) {
	return container(func(c *diagnose.Container) { c.Names = names })
}

func serviceOf(name string) func(*diagnose.Observed) {
	return with(diagnose.Object{
		Ref: diagnose.Ref{Kind: "Service", Name: name}, Ready: true,
		Service: &diagnose.Service{Selector: map[string]string{"app": name}, Ports: []diagnose.ServicePort{{Port: 5432}}},
	})
}

// refused is a crash because the database does not answer, the third.
func refused(o *diagnose.Observed) {
	ended(3, 1, "Error")(o)
	says(`dial tcp db:5432: connect: connection refused`)(o)
}

func ready(o *diagnose.Observed) {
	o.Objects[0].Ready = true
	running(o)
	o.Pods[0].Containers[0].Ready, o.Pods[0].ReadyAt = true, before(40*time.Second)
}

func early(o *diagnose.Observed) { o.Began = before(10 * time.Second) }

func TestFirstCause(t *testing.T) {
	t.Parallel()
	noSecret := waiting("CreateContainerConfigError", `secret "token" not found`)
	noImage := waiting("ErrImagePull", "manifest unknown")
	for name, c := range map[string]struct {
		want string // as in TestRules
		also string // code of an alternative
		o    diagnose.Observed
	}{
		"a missing secret of the database explains the crash of what needs it": {diagnose.CodeContainerConfig, "", release(refused, serviceOf("db"), second("db", noSecret))},
		"so does one that only the environment names":                          {diagnose.CodeContainerConfig, "", release(ended(3, 1, "Error"), needs("db"), serviceOf("db"), second("db", noSecret))},
		"a database that starts is waited for":                                 {someday + diagnose.CodeDependency, "", release(refused, serviceOf("db"), second("db", running))},
		"and so is one that is not named, for a while":                         {someday + diagnose.CodeCrashLoop, "", release(ended(3, 1, "Error"), second("db", running), early)},
		"but not for ever": {diagnose.CodeCrashLoop, "", release(ended(3, 1, "Error"), second("db", running), func(o *diagnose.Observed) { o.Began = before(2 * time.Minute) })},
		"a database that is ready by now deserves one more try":     {someday + diagnose.CodeDependency, "", release(refused, serviceOf("db"), second("db", ready, func(o *diagnose.Observed) { o.Pods[0].ReadyAt = before(2 * time.Second) }))},
		"so does one that was ready moments before the last try":    {someday + diagnose.CodeDependency, "", release(refused, serviceOf("db"), second("db", ready, func(o *diagnose.Observed) { o.Pods[0].ReadyAt = before(9 * time.Second) }))},
		"and no more than that":                                     {diagnose.CodeDependency, "", release(refused, serviceOf("db"), second("db", ready))},
		"at the end the database is what never came":                {diagnose.CodeProbe, "", release(refused, serviceOf("db"), second("db", running, unhealthy(`Readiness probe failed: dial tcp 10.1.0.4:5432: connect: connection refused`)), over)},
		"a crash of its own needs nobody else":                      {diagnose.CodeReadOnly, "", release(ended(3, 1, "Error"), says("open /x: read-only file system"), second("db", running), early)},
		"out of memory explains the restarts, not the health check": {diagnose.CodeOutOfMemory, "", release(ended(3, 137, "OOMKilled"), unhealthy(`Readiness probe failed: dial tcp 10.1.0.3:8080: connect: connection refused`))},
		"two causes at once are both told":                          {diagnose.CodeContainerConfig, diagnose.CodeImageNotFound, release(noSecret, second("worker", noImage))},
		"two causes in one pod as well": {diagnose.CodeContainerConfig, diagnose.CodeImageNotFound, release(noSecret, func(o *diagnose.Observed) {
			c := o.Pods[0].Containers[0]
			c.Name, c.Waiting = "side", &diagnose.Waits{Reason: "ErrImagePull", Message: "manifest unknown"}
			o.Pods[0].Containers = append(o.Pods[0].Containers, c)
		})},
		"a failed migration explains the crash of the application": {diagnose.CodeJob, "", release(ended(3, 1, "Error"), says(`relation "orders" does not exist`), second("migrate", ended(1, 1, "Error"), asMigration))},
		"the volume explains the pod":                              {diagnose.CodeClaim, "", release(waitsForVolume("no persistent volumes available for this claim and no storage class is set"))},
		"and the database without it the application":              {diagnose.CodeClaim, "", release(refused, serviceOf("db"), second("db"), volumeOf("db"))},
		"a service that selects nothing explains who needs it": {diagnose.CodeRoute, "", release(refused, second("db", ready), with(diagnose.Object{
			Ref: diagnose.Ref{Kind: "Service", Name: "db"}, Ready: true,
			Service: &diagnose.Service{Selector: map[string]string{"app": "postgres"}, Ports: []diagnose.ServicePort{{Port: 5432}}},
		}))},
		"a kill from outside is not sure": {diagnose.CodeCrashLoop, "", release(ended(3, 137, "Error"))},
	} {
		v := diagnose.Judge(c.o)
		got := fine
		if v.Diagnosis != nil {
			got = v.Diagnosis.Code
			if v.State == diagnose.Waiting {
				got = someday + got
			}
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q: %+v", name, got, c.want, v.Diagnosis)
			continue
		}
		var also []string
		for _, a := range v.Diagnosis.Alternatives {
			if a.Too {
				also = append(also, a.Code)
			}
		}
		if strings.Join(also, " ") != c.also {
			t.Errorf("%s: also %v, want %q", name, also, c.also)
		}
	}
}

func volumeOf(owner string) func(*diagnose.Observed) {
	return func(o *diagnose.Observed) {
		for i := range o.Pods {
			if p := &o.Pods[i]; p.Owner.Name == owner {
				p.Claims = []string{"data"}
				p.NoNode = &diagnose.NoNode{Message: "pod has unbound immediate PersistentVolumeClaims", Since: before(30 * time.Second)}
			}
		}
		claim := diagnose.Ref{Kind: "PersistentVolumeClaim", Name: "data"}
		o.Objects = append(o.Objects, diagnose.Object{Ref: claim, Claim: &diagnose.Claim{Phase: "Pending"}})
		event(claim, "FailedBinding", "no persistent volumes available for this claim and no storage class is set", 3)(o)
	}
}

func asMigration(o *diagnose.Observed) {
	asJob(failed)(o)
	o.Objects[0].Labels = nil
}

// TestUnsure: what the evidence does not single out is told as what it is.
func TestUnsure(t *testing.T) {
	t.Parallel()
	d := diagnose.Explain(release(ended(3, 137, "Error")))
	if got := d.Sentence(); d.Confidence >= preview.Unsure || !strings.HasPrefix(got, "Not sure. Most likely: ") || !strings.Contains(got, "exit code 137 is a kill") {
		t.Errorf("%v: %s", d.Confidence, got)
	}
	d = diagnose.Explain(release(ended(3, 137, "OOMKilled")))
	if got := d.Sentence(); got != d.Cause {
		t.Errorf("sure, and yet: %s", got)
	}
}

// TestOrderDoesNotMatter: the same observation gives the same verdict, however it is told.
func TestOrderDoesNotMatter(t *testing.T) {
	t.Parallel()
	all := release()
	all.Objects, all.Pods = nil, nil
	n := 0
	for _, c := range rules {
		if c.o.Hook == nil && len(c.o.Objects) > 0 && c.o.Objects[0].Ref == web {
			n++
			second("w"+string(rune('a'+n%26))+string(rune('a'+n/26)), func(o *diagnose.Observed) { *o = c.o })(&all)
		}
	}
	want := diagnose.Judge(all)
	for range 20 {
		rand.Shuffle(len(all.Objects), func(i, j int) { all.Objects[i], all.Objects[j] = all.Objects[j], all.Objects[i] })
		rand.Shuffle(len(all.Pods), func(i, j int) { all.Pods[i], all.Pods[j] = all.Pods[j], all.Pods[i] })
		rand.Shuffle(len(all.Events), func(i, j int) { all.Events[i], all.Events[j] = all.Events[j], all.Events[i] })
		if diff := cmp.Diff(want, diagnose.Judge(all)); diff != "" {
			t.Fatalf("told in another order (-want +got):\n%s", diff)
		}
	}
}
