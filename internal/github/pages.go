package github

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"
)

const (
	pageSize = 100 // the most that GitHub gives
	maxPages = 500 // five times the runners that a group can hold
)

// page is one page of any list.
type page struct {
	Total   int      `json:"total_count"`
	Runners []Runner `json:"runners"`
	Groups  []Group  `json:"runner_groups"`
}

// listed gets all pages of a list, each thing once. They are asked for by
// number: a Link header is not followed, as it could lead to another host. While
// we read, what is added or removed moves things from page to page; a page
// without anything new is the end, and so is one that is not full, unless there
// are said to be more: a server may give fewer on a page than it was asked for. A
// list that does not end is an error: half of one may not be taken for the whole.
func listed[T any](ctx context.Context, c *Client, r request, of func(page) []T, id func(T) int64) ([]T, error) {
	var all []T
	seen := map[int64]bool{}
	r.method, r.want = http.MethodGet, http.StatusOK
	filter := r.query
	for number := 1; number <= maxPages; number++ {
		var answer page
		r.answer, r.query = &answer, url.Values{"per_page": {strconv.Itoa(pageSize)}, "page": {strconv.Itoa(number)}}
		maps.Copy(r.query, filter)
		if err := c.do(ctx, r); err != nil {
			return nil, err
		}
		if of(answer) == nil {
			return nil, fmt.Errorf("%s of %s: %w: it holds no list", r.op, c.scope, ErrNotGitHub)
		}
		before := len(all)
		for _, item := range of(answer) {
			if id(item) <= 0 {
				return nil, fmt.Errorf("%s of %s: %w: something in it has the id %d", r.op, c.scope, ErrNotGitHub, id(item))
			}
			if !seen[id(item)] {
				seen[id(item)] = true
				all = append(all, item)
			}
		}
		if len(of(answer)) < pageSize && len(all) >= answer.Total || len(all) == before {
			return all, nil
		}
	}
	return nil, fmt.Errorf("%s of %s: %w: the list has no end", r.op, c.scope, ErrNotGitHub)
}
