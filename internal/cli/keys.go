package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"catalyst.dev/catalyst/internal/app"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/seal"
)

// KeysRotateOptions are the flags of `catalyst keys rotate`.
type KeysRotateOptions struct {
	Config string // path of the configuration file
}

func newKeysCmd(s Streams) *cobra.Command {
	cmd := &cobra.Command{Use: "keys", Short: "Make and change the keys that encrypt what the database keeps of others' secrets"}
	fresh := &cobra.Command{
		Use: "new", Short: "Print a new key, a line for encryption_keys_file", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(s.Out, seal.Generate())
			return err
		},
	}
	var o KeysRotateOptions
	rotate := &cobra.Command{
		Use: "rotate", Short: "Encrypt everything anew with the first key", Args: cobra.NoArgs,
		Long: "Encrypt with the first key of encryption_keys_file whatever is stored plainly or under another key. To change keys:\n" +
			"\n" +
			"  1. append the line of `catalyst keys new` to the file, and restart every server: now all can read with it;\n" +
			"  2. move the line to the top, and restart every server: now all write with it;\n" +
			"  3. run this command, then take the old line out, and restart.\n" +
			"\n" +
			"With a SQLite database the server must be stopped while this command runs.",
		RunE: func(cmd *cobra.Command, _ []string) error { return runKeysRotate(cmd.Context(), s, o) },
	}
	configFlag(rotate, &o.Config)
	cmd.AddCommand(fresh, rotate)
	return cmd
}

func runKeysRotate(ctx context.Context, s Streams, o KeysRotateOptions) (err error) {
	c, err := load(o.Config, s)
	if err != nil {
		return err
	}
	if c.EncryptionKeys == "" {
		return fmt.Errorf("there are no keys: `catalyst keys new > keys`, and set encryption_keys_file: %w", preview.ErrInvalid)
	}
	db, err := app.OpenStore(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.CheckSchema(ctx); err != nil {
		return err
	}
	n, err := db.Reseal(ctx)
	_, _ = fmt.Fprintf(s.Out, "%d encrypted anew\n", n)
	return err
}
