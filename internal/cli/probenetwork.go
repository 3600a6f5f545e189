package cli

import (
	"context"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/spf13/cobra"
)

// ProbeNetworkOptions are the flags of `catalyst probe-network`.
type ProbeNetworkOptions struct {
	Address string        // what is dialled
	For     time.Duration // how long; the last attempt counts
	Result  string        // file that the result is written to
}

// newProbeNetworkCmd is what a pod runs that Catalyst starts to find out whether the cluster enforces NetworkPolicy.
func newProbeNetworkCmd(s Streams) *cobra.Command {
	var o ProbeNetworkOptions
	cmd := &cobra.Command{
		Use: "probe-network", Short: "Say whether the API server can be reached from this pod", Args: cobra.NoArgs, Hidden: true,
		RunE: func(cmd *cobra.Command, _ []string) error { return runProbeNetwork(cmd.Context(), s, o) },
	}
	address := net.JoinHostPort(os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT"))
	cmd.Flags().StringVar(&o.Address, "address", address, "what to dial: `HOST:PORT`")
	cmd.Flags().DurationVar(&o.For, "for", 8*time.Second, "how long to try, since a network needs a while to apply a policy to a new pod")
	cmd.Flags().StringVar(&o.Result, "result", "/dev/termination-log", "`file` that gets \"reached\" or \"not reached\"")
	return cmd
}

func runProbeNetwork(ctx context.Context, s Streams, o ProbeNetworkOptions) error {
	result := ""
	dialer := net.Dialer{Timeout: time.Second}
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for deadline := time.Now().Add(o.For); time.Now().Before(deadline); {
		result = "not reached"
		if conn, err := dialer.DialContext(ctx, "tcp", o.Address); err == nil {
			_ = conn.Close()
			result = "reached"
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
	_, _ = fmt.Fprintf(s.Out, "%s %s\n", o.Address, result)
	if err := os.WriteFile(o.Result, []byte(result), 0o600); err != nil {
		return fmt.Errorf("tell the result: %w", err)
	}
	return nil
}
