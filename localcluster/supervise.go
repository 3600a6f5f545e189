package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"syscall"

	"catalyst.dev/catalyst/localcluster/internal/supervisor"
)

// runSupervise is what start starts, not people.
func runSupervise(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("supervise is started by start: %w", errUsage)
	}
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, nil)))
	var files [3]*os.File
	for i := range files {
		syscall.CloseOnExec(3 + i) // components must not hold them
		files[i] = os.NewFile(uintptr(3+i), "inherited")
	}
	return supervisor.Run(ctx, args[0], supervisor.Files{Listener: files[0], Progress: files[1], Attached: files[2]})
}
