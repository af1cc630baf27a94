package bootstrap

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
)

// relabel changes the labels of a runner that stays registered: no job notices. While it lasts, its agent registers it no more; the
// next time it goes by what the record says then. What fails at GitHub leaves the record as it was, and the other way round
// another install does the same again.
func relabel(ctx context.Context, i *installer) (string, error) {
	lock, err := i.host.Store.LockRegistration(ctx, i.plan.Name)
	if err != nil {
		return "", err
	}
	defer lock.Release()
	before, err := i.host.Store.Load(i.plan.Name)
	if err != nil {
		return "", err
	}
	after := before
	after.Labels, after.ResolvedLabels = i.details.Request.Identity.Labels, i.details.Labels
	asked := register.AskedLabels(after)
	result := cmp.Or(strings.Join(asked, ","), "none beside the default ones")
	listed, err := setLabels(ctx, i.client, before, asked)
	switch {
	case errors.Is(err, github.ErrNotFound):
		result += ", from its next registration on"
	case err != nil:
		return "", err
	default:
		if lacks := github.Lacks(listed, asked); len(lacks) > 0 {
			i.host.Log.Warn("GitHub does not list all labels of the runner", "runner", i.plan.Name, "missing", strings.Join(lacks, ", "))
		}
	}
	i.record.Labels, i.record.ResolvedLabels = after.Labels, after.ResolvedLabels
	_, err = i.host.Store.Update(ctx, i.plan.Name, func(r *instance.Record) {
		r.Labels, r.ResolvedLabels = after.Labels, after.ResolvedLabels
	})
	return result, err
}

// setLabels gives the runner at GitHub the labels that are asked for now, in place of those that were asked for before. Those that
// somebody else has given it stay.
func setLabels(ctx context.Context, client *github.Client, before instance.Record, asked []string) ([]github.Label, error) {
	if before.RunnerID == 0 {
		return nil, fmt.Errorf("setting the labels of runner %q: %w", before.Name, github.ErrNotFound)
	}
	listed, err := client.Labels(ctx, before.RunnerID)
	if err != nil {
		return nil, err
	}
	const gitHubs = "read-only"
	same := func(name string) func(string) bool {
		return func(other string) bool { return strings.EqualFold(name, other) }
	}
	wanted := slices.Clone(asked)
	for _, label := range listed {
		switch ours := slices.ContainsFunc(register.AskedLabels(before), same(label.Name)); {
		case label.Type == gitHubs:
			wanted = slices.DeleteFunc(wanted, same(label.Name))
		case !ours && !slices.ContainsFunc(wanted, same(label.Name)):
			wanted = append(wanted, label.Name)
		}
	}
	return client.SetLabels(ctx, before.RunnerID, wanted)
}
