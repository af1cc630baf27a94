package plan

import (
	"fmt"
	"sort"

	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
)

// Spread makes of one request those for so many runners of this host, numbered
// from 1. One runner alone has no number, unless there were several before.
func Spread(store *instance.Store, r Request, count int) ([]Request, error) {
	mine, err := numbered(store, r)
	if err != nil {
		return nil, err
	}
	several := count > 1
	for _, record := range mine {
		several = several || record.Index > 0
	}
	if !several && !r.UserPerRunner {
		return []Request{r}, nil
	}
	base := r.User
	if base == "" {
		base = DefaultUser
	}
	var all []Request
	for i := 1; i <= count; i++ {
		one := r
		one.Index = i
		if r.UserPerRunner {
			one.User = numberedUser(base, i)
			one.CreateUser = r.CreateUser || base == DefaultUser
		}
		all = append(all, one)
	}
	return all, nil
}

// Surplus names the runners beyond count that an earlier request of the same kind
// has made, the last ones first.
func Surplus(store *instance.Store, r Request, count int) ([]string, error) {
	mine, err := numbered(store, r)
	if err != nil {
		return nil, err
	}
	sort.Slice(mine, func(i, j int) bool { return mine[i].Index > mine[j].Index })
	var names []string
	for _, record := range mine {
		if record.Index > count {
			names = append(names, record.Name)
		}
	}
	return names, nil
}

// numbered are the records of the runners that one request has made.
func numbered(store *instance.Store, r Request) ([]instance.Record, error) {
	records, err := store.List()
	if err != nil {
		return nil, fmt.Errorf("looking for the runners of this host: %w", err)
	}
	var mine []instance.Record
	for _, record := range records {
		if record.Template == r.Template && r.Scope.Same(record.ScopeURL) {
			mine = append(mine, record)
		}
	}
	return mine, nil
}
