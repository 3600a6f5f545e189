package diagnose

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	exceeded  = regexp.MustCompile(`exceeded quota: ([^,]+), requested: (\S+), used: (\S+), limited: (\S+)`)
	mustSet   = regexp.MustCompile(`failed quota: ([^:]+): must specify (.+)`)
	maximum   = regexp.MustCompile(`(maximum|minimum) ([\w.-]+) usage per (\w+) is (\S+?), but (?:limit|request) is ([^,\s\]]+)`)
	noMinimum = regexp.MustCompile(`(minimum|maximum) ([\w.-]+) usage per (\w+) is (\S+?)\.\s+No (limit|request) is specified`)
)

// overQuota says what a refusal for a quota means; false when the message is about none. alone reports whether the
// object would not fit even into an empty namespace.
func overQuota(who, message string) (f finding, alone, ok bool) {
	f = finding{code: CodeQuota, confidence: certain}
	switch {
	case exceeded.MatchString(message):
		m := exceeded.FindStringSubmatch(message)
		asked, used, limited := pairs(m[2]), pairs(m[3]), pairs(m[4])
		var words []string
		for _, kind := range sortedKeys(asked) {
			words = append(words, fmt.Sprintf("%s: %s more asked for, %s of %s in use", quotaWord(kind), asked[kind], used[kind], limited[kind]))
			one, okOne := quantity(asked[kind])
			all, okAll := quantity(limited[kind])
			alone = alone || okOne && okAll && one > all
		}
		f.cause = fmt.Sprintf("The namespace's quota %s leaves no room for %s (%s).", quote(m[1]), who, strings.Join(words, "; "))
		f.fix = "Ask for less in the values (replicas, requests, limits), or have the quota of previews raised."
		if len(asked) == 1 && (asked["pods"] != "" || asked["count/pods"] != "") {
			f.fix = "Run fewer pods in previews (replicas: 1), or have the quota's number of pods raised."
		}
	case mustSet.MatchString(message):
		m := mustSet.FindStringSubmatch(message)
		alone = true
		f.cause = fmt.Sprintf("The namespace's quota %s wants %s to set resources: %s.", quote(m[1]), who, strings.TrimSuffix(oneLine(m[2]), "."))
		f.fix = "Set these requests and limits for the container in the chart or its values."
	case maximum.MatchString(message):
		m := maximum.FindStringSubmatch(message)
		alone = true
		f.cause = fmt.Sprintf("The namespace allows each %s a %s of %s %s, and %s asks for %s.", strings.ToLower(m[3]), m[1], m[4], m[2], who, m[5])
		f.fix = "Bring the container's requests and limits in the values within what the namespace allows."
	case noMinimum.MatchString(message):
		m := noMinimum.FindStringSubmatch(message)
		alone = true
		f.cause = fmt.Sprintf("The namespace wants each %s to set a %s of %s (%s %s), and %s sets none.", strings.ToLower(m[3]), m[5], m[2], m[1], m[4], who)
		f.fix = "Set requests and limits for the container in the chart or its values."
	default:
		return f, false, false
	}
	return f, alone, true
}

// quotaWord is a quota's resource for people.
func quotaWord(resource string) string {
	switch resource {
	case "pods", "count/pods":
		return "pods"
	case "requests.memory", "memory":
		return "memory (requests)"
	case "limits.memory":
		return "memory (limits)"
	case "requests.cpu", "cpu":
		return "CPU (requests)"
	case "limits.cpu":
		return "CPU (limits)"
	case "requests.storage":
		return "storage"
	}
	return strings.TrimPrefix(resource, "count/")
}

// pairs reads "a=1,b=2".
func pairs(s string) map[string]string {
	m := map[string]string{}
	for _, one := range strings.Split(s, ",") {
		if k, value, ok := strings.Cut(one, "="); ok {
			m[k] = value
		}
	}
	return m
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// quantity reads a Kubernetes quantity: 100m, 64Mi, 2.
func quantity(s string) (float64, bool) {
	factor := 1.0
	for _, unit := range []struct {
		suffix string
		factor float64
	}{{"Ki", 1 << 10}, {"Mi", 1 << 20}, {"Gi", 1 << 30}, {"Ti", 1 << 40}, {"m", 1e-3}, {"k", 1e3}, {"M", 1e6}, {"G", 1e9}, {"T", 1e12}} {
		if rest, ok := strings.CutSuffix(s, unit.suffix); ok {
			s, factor = rest, unit.factor
			break
		}
	}
	n, err := strconv.ParseFloat(s, 64)
	return n * factor, err == nil
}
