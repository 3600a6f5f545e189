package simulate

import (
	"context"
	"errors"

	"catalyst.dev/catalyst/internal/ghapp"
)

// Branch implements worker.GitHub. It is asked for forks only, and here are none.
func (p *process) Branch(context.Context, ghapp.Repo, string) (string, error) {
	return "", errors.New("the simulation has no forks")
}
