package register

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
)

// maxLabel is the longest label that config.sh takes. With a longer one among
// them it drops all labels and says nothing (actions/runner, Validators.cs).
const maxLabel = 256

// CheckLabels refuses labels that config.sh would drop: it counts characters as
// .NET does, in units of UTF-16, so that an emoji is two. [github.ErrLabels]
// says which.
func CheckLabels(names []string) error {
	for _, name := range names {
		if length := len(utf16.Encode([]rune(name))); length > maxLabel {
			return github.TooLong(name, length)
		}
	}
	return nil
}

// AskedLabels are the labels that GitHub is told of. config.sh adds the default
// ones by itself; a just-in-time configuration has none but those asked for.
func AskedLabels(record instance.Record) []string {
	own := github.Distinct(record.EffectiveLabels())
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
// that were asked for, no matter who lost some on the way: jobs that ask for one
// would wait for ever. What cannot be put right is a warning, and a problem of
// status: the runner itself is in order. Listed are those that GitHub has told.
func (j Joiner) compareLabels(ctx context.Context, id int64, listed []github.Label) {
	asked := AskedLabels(j.Record)
	lacks := github.Lacks(listed, asked)
	if len(lacks) == 0 {
		return
	}
	listed, err := j.Client.AddLabels(ctx, id, lacks)
	if err == nil {
		if still := github.Lacks(listed, asked); len(still) > 0 {
			err = fmt.Errorf("GitHub still does not list them: %s", strings.Join(still, ", "))
		}
	}
	if err != nil {
		text := "GitHub does not list the labels " + strings.Join(lacks, ", ") + " of the runner, and they could not be added"
		j.Room.Log.Warn(text, "runner", j.Record.Name, "id", id, "error", err) //nolint:sloglint // people are shown this text alone
		return
	}
	j.Room.Log.Info("labels that GitHub had not listed were added", "runner", j.Record.Name, "labels", strings.Join(lacks, ", "))
}
