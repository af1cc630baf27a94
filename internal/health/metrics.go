package health

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/atomicfile"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/inuse"
	"github.com/runner-bootstrap/runner-bootstrap/internal/openfile"
)

// StateDraining is told of a runner that takes no further job and still has one, or is still connected: a state of
// metrics alone, beside those of package instance.
const StateDraining = "draining"

// The results of jobs.
const (
	jobSucceeded = "succeeded"
	jobFailed    = "failed"
	jobCanceled  = "canceled"
)

// errState is matched by the error for a state that is none of [States].
var errState = errors.New("not a state of a runner")

// States returns every state, in the order of a runner's life.
func States() []string {
	var all []string
	for _, state := range instance.States() {
		if state == instance.Drained {
			all = append(all, StateDraining)
		}
		all = append(all, string(state))
	}
	return all
}

// Metrics is what is known about a runner at one moment.
type Metrics struct {
	Runner, Scope, Version string
	State                  string           // one of [States]
	Since                  time.Time        // when it came into this state; zero: not told
	Now                    time.Time        // the heartbeat
	Jobs                   map[string]int64 // by result; the results above are always told
	Starts                 int64            // of the listener
	Registrations          int64
	LastExit               *int // exit code of the last listener; nil: none has ended
}

// WriteMetrics replaces a file, which the collector reads when its name ends in
// .prom, by the metrics in Prometheus' text format. A reader sees the old or the new
// content, never a part; after a failure it is the old. Everybody may read the
// file. A file that already holds just this (times count in whole seconds) is
// left alone. It is not waited for until it is on the disk: after a power cut it is
// written again. The error for an unknown state matches [errState].
func WriteMetrics(file string, m Metrics) error {
	if !slices.Contains(States(), m.State) {
		return fmt.Errorf("writing metrics: %w: %q", errState, m.State)
	}
	content := m.format()
	if holds(file, content) {
		return nil
	}
	if err := atomicfile.Write(file, []byte(content), atomicfile.Options{Mode: 0o644}); err != nil {
		return fmt.Errorf("writing metrics: %w", err)
	}
	return nil
}

// holds tells whether file is a regular one, for everybody to read, with this content.
func holds(file, content string) bool {
	info, err := os.Lstat(file)
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o444 != 0o444 || info.Size() != int64(len(content)) {
		return false
	}
	old, err := openfile.ReadItself(file, info.Size())
	return err == nil && string(old) == content
}

// RemoveMetrics removes the file of [WriteMetrics], and what a writer that was
// killed left beside it. Gone is success. The file's writer must have ended.
func RemoveMetrics(file string) error {
	err := ignoreGone(inuse.Remove(file))
	entries, dirErr := os.ReadDir(filepath.Dir(file))
	err = errors.Join(err, ignoreGone(dirErr))
	for _, entry := range entries {
		if atomicfile.IsPart(entry.Name(), file) {
			err = errors.Join(err, ignoreGone(inuse.Remove(filepath.Join(filepath.Dir(file), entry.Name()))))
		}
	}
	if err != nil {
		return fmt.Errorf("removing metrics: %w", err)
	}
	return nil
}

func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// format writes the same HELP for every runner: the collector refuses families
// that two files describe differently.
func (m Metrics) format() string {
	var e exposition
	e.family("runner_bootstrap_info", "gauge", "What runs here; always 1.")
	e.sample(1, "runner", m.Runner, "scope", m.Scope, "version", m.Version)
	e.family("runner_bootstrap_state", "gauge", "1 for the state that the runner is in, 0 for the others.")
	for _, state := range States() {
		value := int64(0)
		if state == m.State {
			value = 1
		}
		e.sample(value, "runner", m.Runner, "scope", m.Scope, "state", state)
	}
	if !m.Since.IsZero() {
		e.family("runner_bootstrap_state_since_seconds", "gauge", "When the runner came into its state, in Unix time.")
		e.sample(m.Since.Unix(), "runner", m.Runner, "scope", m.Scope)
	}
	e.family("runner_bootstrap_jobs_total", "counter", "Jobs that have ended, by result.")
	results := map[string]int64{jobSucceeded: 0, jobFailed: 0, jobCanceled: 0}
	maps.Copy(results, m.Jobs)
	for _, result := range slices.Sorted(maps.Keys(results)) {
		e.sample(results[result], "runner", m.Runner, "scope", m.Scope, "result", result)
	}
	e.family("runner_bootstrap_listener_starts_total", "counter", "Starts of the runner's listener.")
	e.sample(m.Starts, "runner", m.Runner, "scope", m.Scope)
	e.family("runner_bootstrap_registrations_total", "counter", "Registrations of the runner.")
	e.sample(m.Registrations, "runner", m.Runner, "scope", m.Scope)
	if m.LastExit != nil {
		e.family("runner_bootstrap_listener_last_exit_code", "gauge", "Exit code of the listener that ended last.")
		e.sample(int64(*m.LastExit), "runner", m.Runner, "scope", m.Scope)
	}
	e.family("runner_bootstrap_heartbeat_seconds", "gauge", "When this was written, in Unix time.")
	e.sample(m.Now.Unix(), "runner", m.Runner, "scope", m.Scope)
	return e.text.String()
}

// exposition is a text in Prometheus' format.
type exposition struct {
	text strings.Builder
	name string // of the family that samples belong to
}

func (e *exposition) family(name, kind, help string) {
	e.name = name
	fmt.Fprintf(&e.text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

// sample takes labels as names and values in turn.
func (e *exposition) sample(value int64, labels ...string) {
	e.text.WriteString(e.name)
	escape := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)
	separator := "{"
	for pair := range slices.Chunk(labels, 2) {
		// The format is UTF-8: one byte that is not makes the whole file unreadable.
		e.text.WriteString(separator + pair[0] + `="` + escape.Replace(strings.ToValidUTF8(pair[1], "\uFFFD")) + `"`)
		separator = ","
	}
	if len(labels) > 0 {
		e.text.WriteByte('}')
	}
	e.text.WriteString(" " + strconv.FormatInt(value, 10) + "\n")
}
