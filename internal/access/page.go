package access

import (
	"context"
	"time"

	"catalyst.dev/catalyst/internal/preview"
)

// maxPasses bounds how many pieces of a list are read for one page: somebody may see little of it.
const maxPasses = 20

// Page collects one page of a list of previews for who asks: those that they may see of what search gives behind a place, at most limit. last is the place
// behind which the next page begins; its ID is empty on the last page.
func (a *Authorizer) Page(ctx context.Context, who Actor, limit int, at time.Time, id string,
	search func(at time.Time, id string, limit int) ([]preview.Preview, error),
) (page []preview.Preview, last preview.Preview, err error) {
	for range maxPasses {
		found, err := search(at, id, limit+1)
		if err != nil {
			return nil, last, err
		}
		may, err := a.Filter(ctx, who, found)
		if err != nil {
			return nil, last, err
		}
		page = append(page, may...)
		if len(page) > limit {
			return page[:limit], page[limit-1], nil
		}
		if len(found) <= limit {
			return page, preview.Preview{}, nil
		}
		last = found[len(found)-1]
		at, id = last.ChangedAt, last.ID
	}
	return page, last, nil
}
