package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"catalyst.dev/catalyst/internal/store"
)

// MigrateOptions are the flags of `catalyst migrate`.
type MigrateOptions struct {
	Config string // path of the configuration file
}

func newMigrateCmd(s Streams) *cobra.Command {
	var o MigrateOptions
	cmd := &cobra.Command{
		Use: "migrate", Short: "Apply the database migrations that are missing", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runMigrate(cmd.Context(), s, o) },
	}
	configFlag(cmd, &o.Config)
	return cmd
}

func runMigrate(ctx context.Context, s Streams, o MigrateOptions) (err error) {
	c, err := load(o.Config, s)
	if err != nil {
		return err
	}
	db, err := store.Open(ctx, c.Database)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	applied, err := db.Migrate(ctx)
	for _, name := range applied {
		if _, err := fmt.Fprintln(s.Out, name); err != nil {
			return err
		}
	}
	if err == nil && len(applied) == 0 {
		_, _ = fmt.Fprintln(s.Err, "The database is up to date.")
	}
	return err
}
