package diagnose

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	upWords   = regexp.MustCompile(`(?i)\b(listening|listen|serving|ready to accept|accepting connections|server (is )?(up|running|started|ready)|started (server|application|.{0,40} in [\d.]+ ?s)|running (on|at)|up and running|startup complete|now available at)\b`)
	listenAt  = regexp.MustCompile(`(?i)(?:([\w.*-]*|\[[0-9a-f:]*\]):|port["']?[ :=]*["']?|\bon )(\d{2,5})\b`)
	besides   = regexp.MustCompile(`(?i)metric|admin|debug|pprof|manage|health|prometheus|monitor|probe|actuator|telemetry|internal`)
	loopbacks = []string{"127.0.0.1", "localhost", "[::1]"}
)

// up is the last line of a log in which a program says that it serves, with the ports it names.
func up(lines []string) (string, []int) {
	for _, line := range slices.Backward(lines) {
		if upWords.MatchString(line) {
			return line, portsIn(line)
		}
	}
	return "", nil
}

func portsIn(line string) []int {
	var ports []int
	for _, m := range listenAt.FindAllStringSubmatch(line, -1) {
		if n, err := strconv.Atoi(m[2]); err == nil && n > 0 && n <= 65535 {
			ports = append(ports, n)
		}
	}
	return ports
}

// elsewhere finds the line of a log in which the program says that it listens on another port than the one asked for, or on that
// one for its own pod only. Servers beside the application's own do not count, and a line about the asked port settles it.
func (v *view) elsewhere(lines []string, asked int) (string, int) {
	found, other := "", 0
	for _, line := range lines {
		if !upWords.MatchString(line) {
			continue
		}
		for _, port := range portsIn(line) {
			switch {
			case port == asked && loopback(line, port):
				return line, port
			case port == asked:
				return "", 0
			case !besides.MatchString(line) && !clock(line, port):
				found, other = line, port
			}
		}
	}
	return found, other
}

func loopback(line string, port int) bool {
	return slices.ContainsFunc(loopbacks, func(host string) bool {
		return strings.Contains(strings.ToLower(line), host+":"+strconv.Itoa(port))
	})
}

// clock reports whether a number is part of a time, like 12:30:59.
func clock(line string, n int) bool {
	return n < 61 && regexp.MustCompile(`\d{1,2}:`+strconv.Itoa(n)+`\b`).MatchString(line)
}
