package instance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/atomicfile"
	"github.com/runner-bootstrap/runner-bootstrap/internal/openfile"
	"github.com/runner-bootstrap/runner-bootstrap/internal/volume"
)

// Report is what the supervisor of a runner says of its listener. It is the
// supervisor's latest word, not the truth: [Store.Running] tells whether that
// supervisor is still alive.
type Report struct {
	State    State     `json:"state"`
	Draining bool      `json:"draining,omitempty"` // it takes no further job
	Faulty   bool      `json:"faulty,omitempty"`   // as something is wrong with its host
	Since    time.Time `json:"since"`
	PID      int       `json:"pid"` // the supervisor's
	// AgentVersion is that of the program that the supervisor is, which may be another than the installed one.
	AgentVersion string `json:"agent_version,omitempty"`
	Version      string `json:"version,omitempty"`
	Job          string `json:"job,omitempty"`
	ExitCode     *int   `json:"exit_code,omitempty"` // the listener's latest
	Reason       string `json:"reason,omitempty"`
	// Outcome is why it has ended without an error; empty while it has not.
	Outcome Outcome `json:"outcome,omitempty"`
	Connection
	// LastWords is how the latest listener that ended did so, and what it printed last.
	LastWords string `json:"last_words,omitempty"`
	// EndedAtOnce counts the listeners in a row that ended within seconds.
	EndedAtOnce   int `json:"ended_at_once,omitempty"`
	Starts        int `json:"starts"`
	Registrations int `json:"registrations,omitempty"`
	JobCounts
	Confinement
	ListenerProcess
}

// Confinement is what keeps jobs from the rest of the host.
type Confinement struct {
	ConfinedBy string `json:"confined_by,omitempty"`
	Weaker     string `json:"weaker,omitempty"` // what that does not keep out, and another way would: for people
}

// Connection is what is wrong with the listener's connection to GitHub.
type Connection struct {
	// Trouble is Connecting, Conflict or Reconnecting, which a busy one has beside its state; empty if nothing is wrong.
	Trouble      State      `json:"trouble,omitempty"`
	TroubleSince *time.Time `json:"trouble_since,omitempty"`
	TroubleWords string     `json:"trouble_words,omitempty"`
}

// JobCounts is how the jobs of a runner have ended.
type JobCounts struct {
	Succeeded int `json:"jobs_succeeded,omitempty"`
	Failed    int `json:"jobs_failed,omitempty"`
	Canceled  int `json:"jobs_canceled,omitempty"`
}

// ListenerProcess tells which process the listener is: its number, its start in clock ticks since boot, and which boot
// that was.
type ListenerProcess struct {
	ListenerPID   int    `json:"listener_pid,omitempty"`
	ListenerStart uint64 `json:"listener_start,omitempty"`
	Boot          string `json:"boot,omitempty"`
}

// SaveReport replaces the report on name. It need not outlive a power cut: the
// supervisor does not either.
func (s *Store) SaveReport(name string, report Report) error {
	text, err := json.Marshal(report)
	if err != nil {
		return fmt.Errorf("encoding report: %w", err)
	}
	path := filepath.Join(s.home(name), reportFile)
	err = atomicfile.Write(path, append(text, '\n'), atomicfile.Options{})
	if volume.IsFull(err) && overwrite(path, text) == nil {
		return nil
	}
	if err != nil {
		return fmt.Errorf("saving report: %w", err)
	}
	return nil
}

// overwrite writes into a file what has room in its own block, where a full disk has none for another file: it is one call, and
// what comes behind the text is as empty as what JSON may end with.
func overwrite(path string, text []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	const block = 1 << 10 // the least that a file system gives
	info, err := file.Stat()
	switch {
	case err != nil:
	case len(text) >= max(block, int(info.Size())):
		err = syscall.ENOSPC
	default:
		padding := bytes.Repeat([]byte{' '}, max(0, int(info.Size())-len(text)-1))
		_, err = file.WriteAt(append(append(text, padding...), '\n'), 0)
	}
	return errors.Join(err, file.Close())
}

// LoadReport reads the report on name; the zero Report if there is none.
func (s *Store) LoadReport(name string) (Report, error) {
	text, err := openfile.Read(filepath.Join(s.home(name), reportFile), maxRecord)
	if errors.Is(err, fs.ErrNotExist) {
		return Report{}, nil
	}
	if err != nil {
		return Report{}, fmt.Errorf("reading report: %w", err)
	}
	var report Report
	if len(text) == 0 {
		return report, nil // what a power cut may have left of it
	}
	if err := json.Unmarshal(text, &report); err != nil {
		return Report{}, fmt.Errorf("reading report on %q: %w", name, err)
	}
	return report, nil
}

// ComeUp is how long a listener may take until it listens.
const ComeUp = 90 * time.Second

// LastReport is the latest word of the agent of name, and whether the one who gave it is alive.
func LastReport(store *Store, name string) (report Report, alive bool, err error) {
	agent, err := store.Running(name)
	if err != nil {
		return report, false, err
	}
	report, err = store.LoadReport(name)
	return report, !agent.None() && agent.PID == report.PID, err
}
