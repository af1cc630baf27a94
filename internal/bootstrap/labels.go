package bootstrap

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
)

// checkLabels refuses labels that GitHub would not keep as they are, with their
// placeholders filled.
func (p *planner) checkLabels(context.Context) error {
	record := instance.Record{Identity: p.request.Identity, Given: p.given}
	err := github.CheckLabels(github.Distinct(record.GivenLabels()), 0)
	if err == nil {
		err = github.CheckLabels(askedLabels(record), 0) // with the default ones there may be too many
	}
	if err == nil && !record.JIT {
		err = register.CheckLabels(askedLabels(record))
	}
	if err != nil {
		return fmt.Errorf("planning for %s: %w", p.plan.Scope, err)
	}
	return nil
}

// askedLabels are the labels that GitHub is told of. config.sh adds the default
// ones by itself; a just-in-time configuration has none but those asked for.
func askedLabels(record instance.Record) []string {
	own := github.Distinct(record.GivenLabels())
	if record.NoDefaultLabels {
		return own
	}
	standard := defaultLabels()
	if record.JIT {
		return github.Distinct(slices.Concat(standard, own))
	}
	return slices.DeleteFunc(own, func(name string) bool {
		return slices.ContainsFunc(standard, func(known string) bool { return strings.EqualFold(known, name) })
	})
}

// defaultLabels are those that config.sh gives a runner on this host.
func defaultLabels() []string {
	system := map[string]string{"linux": "Linux", "darwin": "macOS", "windows": "Windows"}[runtime.GOOS]
	architecture := map[string]string{"amd64": "X64", "arm64": "ARM64", "arm": "ARM"}[runtime.GOARCH]
	return []string{"self-hosted", system, architecture}
}

// compareLabels makes sure that the runner which has just joined has the labels
// that were asked for, whoever has lost some on the way: jobs that ask for one
// would wait for ever. What cannot be put right is a warning, and a problem of
// status: the runner itself is in order. Listed are the labels that GitHub has
// told of already; nil: it is asked.
func (j joiner) compareLabels(ctx context.Context, id int64, listed []github.Label) {
	asked := askedLabels(j.record)
	if j.client == nil || len(asked) == 0 {
		return
	}
	warn := func(text string, err error) {
		j.Log.Warn(text, "runner", j.record.Name, "id", id, "error", err)
	}
	if listed == nil {
		var err error
		if listed, err = j.client.Labels(ctx, id); err != nil {
			warn("the runner has joined, but its labels could not be compared with those asked for", err)
			return
		}
	}
	lacks := github.Lacks(listed, asked)
	if len(lacks) == 0 {
		return
	}
	listed, err := j.client.AddLabels(ctx, id, lacks)
	if err == nil {
		if still := github.Lacks(listed, asked); len(still) > 0 {
			err = fmt.Errorf("GitHub still does not list them: %s", strings.Join(still, ", "))
		}
	}
	if err != nil {
		warn("GitHub does not list the labels "+strings.Join(lacks, ", ")+" of the runner, and they could not be added", err)
		return
	}
	j.Log.Info("labels that GitHub had not listed were added", "runner", j.record.Name, "labels", strings.Join(lacks, ", "))
}

// compareLabels notes as a problem which labels GitHub lacks; those that somebody
// has added are none.
func (s *Status) compareLabels(record instance.Record, listed []github.Label) {
	if lacks := github.Lacks(listed, askedLabels(record)); len(lacks) > 0 {
		s.problem("its labels differ: GitHub does not list %s", strings.Join(lacks, ", "))
	}
}
