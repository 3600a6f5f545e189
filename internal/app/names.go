package app

import (
	"context"
	"fmt"

	"catalyst.dev/catalyst/internal/config"
	"catalyst.dev/catalyst/internal/doctor"
	"catalyst.dev/catalyst/internal/ghapp"
	"catalyst.dev/catalyst/internal/policy"
	"catalyst.dev/catalyst/internal/store"
)

const namesCheck = "repository names"

// checkNames looks whether each configured name still leads to the repository that it stands for. One that leads nowhere is a finding of another check.
func checkNames(ctx context.Context, c config.Config, github *ghapp.Client, db *store.Store) []doctor.Finding {
	var findings []doctor.Finding
	known := 0
	for _, r := range c.Repositories {
		bound, err := boundTo(ctx, db, r)
		if err != nil {
			return []doctor.Finding{{Group: databaseGroup, Name: namesCheck, Status: doctor.Fail, Found: err.Error(), Why: "Nobody can tell whether a name was taken over.", Fix: "See what the database says."}}
		}
		repo, err := github.Resolve(ctx, r.Name)
		if bound == 0 || err != nil {
			continue
		}
		known++
		if repo.ID != bound {
			findings = append(findings, doctor.Finding{
				Group: databaseGroup, Name: namesCheck, Status: doctor.Fail, Found: policy.TakenOver(r.Name, bound, repo.ID),
				Why: "Whoever has the name now would get what is configured for another repository; so it gets no previews.", Fix: policy.ConfirmTakenOver(repo.ID),
			})
		}
	}
	if len(findings) == 0 {
		return []doctor.Finding{{Group: databaseGroup, Name: namesCheck, Status: doctor.OK, Found: fmt.Sprintf("%d of %d lead to the repositories they stand for, the rest was not seen yet", known, len(c.Repositories))}}
	}
	return findings
}

// boundTo is the id of the repository that a configured name stands for; 0 when it was not seen yet.
func boundTo(ctx context.Context, db *store.Store, r config.Repository) (int64, error) {
	if r.ID != 0 {
		return r.ID, nil
	}
	bindings, err := db.Bindings(ctx, r.Name, 0)
	for _, b := range bindings {
		return b.RepositoryID, err
	}
	return 0, err
}
