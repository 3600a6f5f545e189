package cache

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// need is a system program a cluster wants from Debian, with its package and the reason.
type need struct{ program, pkg, why string }

var (
	registryNeed = need{"docker-registry", "docker-registry", "the registry pods pull from"}
	nodeNeeds    = []need{
		{"containerd", "containerd", "runs the pods"},
		{"runc", "runc", "starts their containers"},
		{"ptp", "containernetworking-plugins", "gives each pod its network"},
		{"nft", "nftables", "Services and NetworkPolicy"},
		{"ip", "iproute2", "the cluster's network devices"},
		registryNeed,
	}
)

// Programs are directories of system programs: the cache's own, unpacked from Debian packages, before the system's.
type Programs struct{ Root string }

var systemDirs = []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}
var cniDirs = []string{"/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"}

// Path is the PATH that finds the programs.
func (p Programs) Path() string {
	return strings.Join(append([]string{p.in("/usr/sbin"), p.in("/usr/bin"), p.in("/sbin"), p.in("/bin")}, systemDirs...), ":")
}

// Libraries is the LD_LIBRARY_PATH for them.
func (p Programs) Libraries() string {
	if p.Root == "" {
		return ""
	}
	dirs, _ := filepath.Glob(p.in("/usr/lib/*-linux-*")) // the pattern is valid
	return strings.Join(append(dirs, p.in("/usr/lib")), ":")
}

// CNI is the directory of the network plugins; empty when there is none.
func (p Programs) CNI() string {
	for _, dir := range append([]string{p.in("/usr/lib/cni")}, cniDirs...) {
		if _, err := os.Stat(filepath.Join(dir, "ptp")); err == nil {
			return dir
		}
	}
	return ""
}

// Find gives the path of a program; empty when there is none.
func (p Programs) Find(name string) string {
	if name == "ptp" {
		return p.CNI()
	}
	for _, dir := range filepath.SplitList(p.Path()) {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.Mode()&0o111 != 0 {
			return filepath.Join(dir, name)
		}
	}
	return ""
}

func (p Programs) in(dir string) string {
	if p.Root == "" {
		return dir
	}
	return filepath.Join(p.Root, dir)
}

func (p Programs) missing(needs []need) []need {
	return slices.DeleteFunc(slices.Clone(needs), func(n need) bool { return p.Find(n.program) != "" })
}

// Debian gives the system programs for a real node (or, without one, only the registry). What the machine lacks is
// downloaded from Debian and unpacked into the cache; nothing is installed and no service is started.
func (c *Cache) Debian(ctx context.Context, realNode bool) (Programs, error) {
	needs := []need{registryNeed}
	if realNode {
		needs = nodeNeeds
	}
	missing := Programs{}.missing(needs)
	if len(missing) == 0 {
		return Programs{}, nil
	}
	release, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return Programs{}, fmt.Errorf("tell which Debian this is: %w", err)
	}
	var names []string
	for _, n := range missing {
		names = append(names, n.pkg)
	}
	key := versionKey(string(release)) + "-" + strings.Join(names, "-")
	root, err := c.entry("debian", key, func(tmp string) error { return c.unpack(ctx, tmp, missing, names) })
	if err != nil {
		return Programs{}, err
	}
	p := Programs{Root: root}
	if m := p.missing(needs); len(m) > 0 {
		return Programs{}, fmt.Errorf("the Debian packages in %s lack %s: remove that directory and run setup again", root, m[0].program)
	}
	return p, nil
}

func (c *Cache) unpack(ctx context.Context, tmp string, missing []need, names []string) error {
	for _, n := range missing {
		c.Log.Info("needs "+n.program+", which this machine lacks", "for", n.why, "Debian package", n.pkg)
	}
	c.Log.Info("downloading Debian packages and unpacking them into the cache; nothing is installed on the system", "cache", c.Dir)
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("get %s: this is no Debian (no apt-get); put the programs into PATH yourself, or use --node simulated", strings.Join(names, ", "))
	}
	plan, err := aptPlan(ctx, names)
	if err != nil && os.Geteuid() == 0 {
		c.Log.Info("updating the Debian package lists")
		if _, err := output(ctx, tmp, "apt-get", "update", "-q"); err != nil {
			return fmt.Errorf("update the package lists: %w", err)
		}
		plan, err = aptPlan(ctx, names)
	}
	if err != nil {
		return err
	}
	downloads := filepath.Join(tmp, "packages")
	if err := os.Mkdir(downloads, 0o755); err != nil {
		return fmt.Errorf("unpack Debian packages: %w", err)
	}
	if _, err := output(ctx, downloads, "apt-get", append([]string{"download", "-q"}, plan...)...); err != nil {
		// Lists that are too old name files the server no longer has.
		if os.Geteuid() != 0 {
			return fmt.Errorf("download Debian packages (run apt-get update?): %w", err)
		}
		if _, err := output(ctx, tmp, "apt-get", "update", "-q"); err != nil {
			return fmt.Errorf("update the package lists: %w", err)
		}
		if _, err := output(ctx, downloads, "apt-get", append([]string{"download", "-q"}, plan...)...); err != nil {
			return fmt.Errorf("download Debian packages: %w", err)
		}
	}
	debs, _ := filepath.Glob(filepath.Join(downloads, "*.deb")) // the pattern is valid
	for _, deb := range debs {
		if _, err := output(ctx, tmp, "dpkg", "-x", deb, tmp); err != nil {
			return fmt.Errorf("unpack %s: %w", filepath.Base(deb), err)
		}
	}
	return os.RemoveAll(downloads)
}

var instLine = regexp.MustCompile(`(?m)^Inst (\S+)`)

// aptPlan asks apt what installing the packages would add, libraries included, without installing.
func aptPlan(ctx context.Context, names []string) ([]string, error) {
	out, err := output(ctx, "/", "apt-get", append([]string{"install", "-s", "--no-install-recommends"}, names...)...)
	if err != nil {
		return nil, fmt.Errorf("plan Debian packages %s: %w", strings.Join(names, ", "), err)
	}
	var plan []string
	for _, m := range instLine.FindAllStringSubmatch(out, -1) {
		plan = append(plan, m[1])
	}
	if len(plan) == 0 {
		return nil, fmt.Errorf("plan Debian packages %s: apt has nothing to add, though the programs are missing", strings.Join(names, ", "))
	}
	return plan, nil
}

func output(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, args[0], err, tail(complaint.String(), 10))
	}
	return string(out), nil
}

var versionID = regexp.MustCompile(`(?m)^VERSION_ID="?([^"\n]+)`)

func versionKey(release string) string {
	if m := versionID.FindStringSubmatch(release); m != nil {
		return m[1]
	}
	return "unversioned"
}
