package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"catalyst.dev/catalyst/internal/app"
	"catalyst.dev/catalyst/internal/config"
	"catalyst.dev/catalyst/internal/doctor"
)

// DoctorOptions are the flags of `catalyst doctor`.
type DoctorOptions struct {
	Config       string // path of the configuration file
	Output       string // "text" or "json"
	Pre          bool   // before the installation: no configuration is needed
	Kubeconfig   string // with Pre
	Domain       string // with Pre
	IngressClass string // with Pre
}

// errUnhealthy ends the command with ExitUnhealthy. What is wrong was printed.
var errUnhealthy = errors.New("a check failed")

func newDoctorCmd(s Streams) *cobra.Command {
	var o DoctorOptions
	cmd := &cobra.Command{
		Use: "doctor", Short: "Check everything Catalyst stands on", Args: cobra.NoArgs,
		Long: "Check everything Catalyst stands on: the cluster and Catalyst's rights there, the preview domain, the GitHub App, the database,\n" +
			"the clock. Each line says what was found; where it is not good, why it matters and what mends it. Nothing is changed.\n" +
			"The exit code is 6 when a check failed.",
		Example: "  catalyst doctor --config catalyst.yaml\n  catalyst doctor --pre --kubeconfig ~/.kube/config --domain preview.example.com",
		RunE:    func(cmd *cobra.Command, _ []string) error { return runDoctor(cmd.Context(), s, o) },
	}
	configFlag(cmd, &o.Config)
	cmd.Flags().StringVarP(&o.Output, "output", "o", "text", "`format`: text or json")
	cmd.Flags().BoolVar(&o.Pre, "pre", false, "check only what can be checked before the installation; reads no configuration")
	cmd.Flags().StringVar(&o.Kubeconfig, "kubeconfig", "", "with --pre: kubeconfig `file`; unset: $KUBECONFIG, or the cluster in which this runs")
	cmd.Flags().StringVar(&o.Domain, "domain", "", "with --pre: `domain` under which previews are to answer")
	cmd.Flags().StringVar(&o.IngressClass, "ingress-class", "", "with --pre: ingress `class` of previews")
	return cmd
}

func runDoctor(ctx context.Context, s Streams, o DoctorOptions) error {
	if o.Output != "text" && o.Output != "json" {
		return &usageError{fmt.Errorf("output %q: expected text or json", o.Output)}
	}
	if !o.Pre && (o.Kubeconfig != "" || o.Domain != "" || o.IngressClass != "") {
		return &usageError{errors.New("--kubeconfig, --domain and --ingress-class go with --pre: otherwise the configuration has them")}
	}
	c := o.before(s)
	if !o.Pre {
		var err error
		if c, err = load(o.Config, s); err != nil {
			return err
		}
	}
	findings := doctor.Run(ctx, app.Doctor(ctx, c, app.DoctorOptions{Pre: o.Pre, Version: version}))
	out := s.known.Writer(s.Out)
	var err error
	if o.Output == "json" {
		err = doctor.JSON(out, findings)
	} else {
		err = doctor.Print(out, findings, colours(s))
	}
	if err == nil && doctor.Worst(findings) == doctor.Fail {
		err = errUnhealthy
	}
	return err
}

// before is the configuration as far as it is known before there is one.
func (o DoctorOptions) before(s Streams) config.Config {
	c := config.Config{Instance: "default"}
	c.Cluster.Kubeconfig, c.Preview.Domain, c.Preview.IngressClass = o.Kubeconfig, o.Domain, o.IngressClass
	c.GitHub.APIURL = "https://api.github.com/"
	for _, variable := range s.Environ {
		switch name, value, _ := strings.Cut(variable, "="); {
		case name == "KUBECONFIG" && o.Kubeconfig == "":
			c.Cluster.Kubeconfig = value
		case name == "CATALYST_GITHUB_API_URL" && value != "":
			c.GitHub.APIURL = value
		}
	}
	return c
}

// colours reports whether the output is for a terminal, whose owner has not said no (https://no-color.org).
func colours(s Streams) bool {
	if slices.ContainsFunc(s.Environ, func(v string) bool { return strings.HasPrefix(v, "NO_COLOR=") && v != "NO_COLOR=" }) {
		return false
	}
	file, ok := s.Out.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
