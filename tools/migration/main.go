// Command migration writes the next database migration from the difference between what the migrations make and what
// schema.sql asks for. It only writes a file for review; applying migrations is the product's own, separate step.
//
// It proves each file before writing it: the migrations with the new file give the desired schema, and its Down gives the
// schema before it back. What it cannot write so that SQLite and PostgreSQL both run it, it refuses with the way to write it
// by hand.
//
//	migration new NAME    write NNNNN_NAME.sql beside the other migrations
//	migration check       fail when the migrations and schema.sql differ, or a Down does not undo its Up
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "migration:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("usage: migration [-schema FILE] [-dir DIRECTORY] new NAME | check")

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("migration", flag.ContinueOnError)
	schemaFile := flags.String("schema", "internal/store/schema.sql", "the desired schema")
	dir := flags.String("dir", "internal/store/migrations", "the directory of the migrations")
	if err := flags.Parse(args); err != nil {
		return err
	}
	desired, err := os.ReadFile(*schemaFile)
	if err != nil {
		return fmt.Errorf("read the desired schema: %w", err)
	}
	p := Project{Schema: string(desired), Dir: *dir}
	switch {
	case flags.Arg(0) == "new" && flags.NArg() == 2:
		path, err := p.New(ctx, flags.Arg(1))
		switch {
		case errors.Is(err, ErrNoChange):
			fmt.Fprintf(out, "no change: the migrations give what %s asks for\n", *schemaFile)
			return nil
		case err != nil:
			return err
		}
		fmt.Fprintf(out, "%s: review it, then commit it together with %s\n", path, *schemaFile)
		return nil
	case flags.Arg(0) == "check" && flags.NArg() == 1:
		if err := p.Check(ctx); err != nil {
			return err
		}
		fmt.Fprintln(out, "the migrations give the desired schema, and each can be undone")
		return nil
	}
	return errUsage
}
