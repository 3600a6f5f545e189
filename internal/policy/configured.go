package policy

import (
	"fmt"
	"slices"
	"strings"

	"catalyst.dev/catalyst/internal/preview"
)

// Configured returns the name among those of the configuration that stands for the repository of the pull request, and "" when none does. A name
// stands for the repository it is bound to, under whatever name that goes now; one that is not bound yet, for the repository that has it. When
// the repository only has the name of one that is meant, taken is the id of that one. The bindings are those of the repository's name and of its id.
func Configured(names []string, bindings []preview.Binding, pr preview.PullRequest) (name string, taken int64) {
	find := func(wanted string) string {
		i := slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(n, wanted) })
		if i < 0 {
			return ""
		}
		return names[i]
	}
	own := find(pr.Repository)
	for _, b := range bindings {
		switch {
		case own != "" && strings.EqualFold(b.Name, pr.Repository) && b.RepositoryID != pr.RepositoryID:
			taken = b.RepositoryID
		case b.RepositoryID == pr.RepositoryID && (name == "" || strings.EqualFold(b.Name, pr.Repository)):
			if n := find(b.Name); n != "" {
				name = n
			}
		}
	}
	switch {
	case name != "":
		return name, 0
	case taken != 0:
		return "", taken
	default:
		return own, 0
	}
}

// TakenOver says for people that a configured name leads to another repository than it did.
func TakenOver(name string, was, is int64) string {
	return fmt.Sprintf("repository %s is not the one that was configured: the name was that of repository %d and is that of repository %d now", name, was, is)
}

// ConfirmTakenOver says how an operator confirms that the other repository is meant.
func ConfirmTakenOver(is int64) string {
	return fmt.Sprintf("When it is meant, because it was made anew, confirm it with `id: %d` under `repositories` in the server's configuration.", is)
}

// notMeant says why the configuration does not mean the repository of the pull request, and "" when it does.
func (r Rules) notMeant(s preview.State, pr preview.PullRequest) string {
	switch name, taken := Configured(r.Repositories, s.Bindings, pr); {
	case taken != 0:
		return TakenOver(pr.Repository, taken, pr.RepositoryID) + ". " + ConfirmTakenOver(pr.RepositoryID)
	case name == "":
		return fmt.Sprintf("repository %s is not configured: add it under `repositories` in the server's configuration", pr.Repository)
	default:
		return ""
	}
}
