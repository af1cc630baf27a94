// Package instance remembers what was installed on this host: one record for
// each runner, a lock, and the paths of everything.
package instance

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/pattern"
)

// Phase is how far an installation has come. Phases are stored, so they are
// words. A phase that changes something outside is written down before it
// begins, so that a run that was killed in it is continued or undone.
type Phase string

// The phases in their order.
const (
	Planned     Phase = "planned"     // chosen; the runner root may be there or not
	Fetched     Phase = "fetched"     // the runner root is complete
	Registering Phase = "registering" // GitHub may list the runner already
	Registered  Phase = "registered"  // GitHub lists it and the root holds its credentials
	Installed   Phase = "installed"   // nothing is left to do
	Removing    Phase = "removing"    // an uninstall has begun
)

// ErrRemoving means that an uninstall has begun and was not finished.
var ErrRemoving = errors.New("its removal was interrupted")

// schema is raised when the meaning of a field changes.
const schema = 1

// Record is what is remembered of one runner. It holds no secret.
type Record struct {
	Schema   int    `json:"schema"`
	Name     string `json:"name"`
	Template string `json:"template"`        // what Name was made from; a repeated install finds its record by it
	Index    int    `json:"index,omitempty"` // its number, where one install makes several; 0 without
	ScopeURL string `json:"scope_url"`
	APIURL   string `json:"api_url"`
	Dir      string `json:"dir"`
	User     string `json:"user"`
	Identity `json:"identity"`
	// ResolvedLabels are the labels that GitHub got, where those of Identity have placeholders.
	ResolvedLabels []string `json:"given_labels,omitempty"`
	Outside
	Life `json:"life"`
	// Credential is where the supervisor finds what it speaks to GitHub with.
	Credential Credential `json:"credential"`
	// Environment ("KEY=VALUE") is how the network is reached: proxies, certificates.
	Environment []string `json:"environment,omitempty"`
	Origin
	Registration
	Service string `json:"service"`           // empty: runs without one
	Control string `json:"control,omitempty"` // the socket on which its agent answers, or has answered
	Phase   Phase  `json:"phase"`
	Written
}

// Outside is what a runner has beside its directory.
type Outside struct {
	// WorkFolder is where jobs work, if that is outside of the runner's directory.
	WorkFolder WorkFolder `json:"work_folder,omitzero"`
	// SudoRule is the file by which we have let the account use sudo; empty: there is none of ours.
	SudoRule string `json:"sudo_rule,omitempty"`
}

// Written is when the record was written first, and last, on which machine, and by what order.
type Written struct {
	// Options are what the last install that succeeded was told, or kept, for the next one.
	Options []Option  `json:"options,omitempty"`
	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`
	// Machine is the one whose runner this is; empty in records from before it was noted, and where nothing is known of it.
	Machine Machine `json:"machine,omitzero"`
}

// Machine says which machine a host is, as far as it is known. A copy of its disk is another one.
type Machine struct {
	ID       string `json:"id,omitempty"`       // derived from the machine-id, which is not to be told
	Firmware string `json:"firmware,omitempty"` // derived from the UUID that its firmware says
	Cloud    string `json:"cloud,omitempty"`    // whose instance it is
	Instance string `json:"instance_id,omitempty"`
}

// Origin is what the runner's directory was made of.
type Origin struct {
	// Source is where a newer version of the runner may be fetched from.
	Source  Source `json:"source"`
	Version string `json:"version"`
	SHA256  string `json:"sha256"`
	// Wanted is what is to take its place between two jobs: an install has asked for it, or the agent has begun with it; zero: nothing.
	Wanted Wanted `json:"wanted,omitzero"`
	// Used is set while a job may have changed the directory, and no other is to find it so.
	Used bool `json:"used,omitempty"`
	// Update says who brings newer versions; empty is [UpdateRunner], as in records from before there was a choice.
	Update string `json:"update,omitempty"`
}

// Wanted is another version that a runner is to become.
type Wanted struct {
	Version string `json:"version"`
	SHA256  string `json:"sha256"`
	// Begun is set before the first file is put into place: from then on the directory may hold some of this version, and some of the one
	// before.
	Begun bool `json:"begun,omitempty"`
	// Problem is why it could not be put into place so far; empty where nothing has failed.
	Problem string `json:"problem,omitempty"`
}

// Of tells whether it is that version.
func (w Wanted) Of(version, sha256 string) bool { return w.Version == version && w.SHA256 == sha256 }

// None tells whether the runner stays what it is.
func (w Wanted) None() bool { return w.Version == "" }

// Becomes notes that the runner's directory is made of a version now, which is waited for no more.
func (o *Origin) Becomes(version, sha256 string) {
	o.Version, o.SHA256 = version, sha256
	if o.Wanted.Of(version, sha256) {
		o.Wanted = Wanted{}
	}
}

// Wants has another version take the place of this one, or none, where that is the same. Where another one has begun to do so, all of
// what is wanted has to be put into place, also if that is the one that is there.
func (o *Origin) Wants(version, sha256 string) {
	begun := o.Wanted.Begun
	o.Wanted = Wanted{Version: version, SHA256: sha256, Begun: begun}
	if !begun && o.Wanted.Of(o.Version, o.SHA256) {
		o.Wanted = Wanted{}
	}
}

// Target is what the runner is to be made of: what is wanted, or else what it is.
func (o Origin) Target() (version, sha256 string) {
	if o.Wanted.None() {
		return o.Version, o.SHA256
	}
	return o.Wanted.Version, o.Wanted.SHA256
}

// Who brings newer versions of a runner.
const (
	UpdateAgent  = "agent"  // its agent
	UpdateRunner = "runner" // the runner itself, whose files are then the account's that runs jobs
	UpdateOff    = "off"    // nobody
)

// Rooted tells whether the runner's files are root's, and jobs can change none of them.
func (o Origin) Rooted() bool { return o.Update == UpdateAgent || o.Update == UpdateOff }

// Replaceable tells whether a version that GitHub refuses may be replaced by another one that nobody has asked for.
func (r Record) Replaceable() bool {
	return !r.Source.Pinned && !r.DisableUpdate && r.Update != UpdateOff
}

// Registration is what we know of the runner at GitHub.
type Registration struct {
	RunnerID int64 `json:"runner_id"`
	// PreRegistered is set for a registration that was made elsewhere: another one would
	// not be the same.
	PreRegistered bool `json:"brought,omitempty"`
	// Renewing is set while the supervisor registers the runner again: GitHub may list
	// it already.
	Renewing bool `json:"renewing,omitempty"`
	// PendingDeletes are runners of ours that GitHub may list and should not: their removal
	// was not proven.
	PendingDeletes []int64 `json:"owed,omitempty"`
	// Before are runners of this name that GitHub listed before this one was
	// registered: whatever comes of that, they are somebody else's.
	Before []int64 `json:"before,omitempty"`
}

// Option is what an install was told of one option, as it was typed. It is no secret, beside what an address may hold.
type Option struct {
	Name   string   `json:"name"`
	Values []string `json:"values"`
	// File is the configuration file that said it, which goes on deciding it while it is read; empty where it was typed.
	File string `json:"file,omitempty"`
}

// SameOptions tells whether two installs were told the same.
func SameOptions(a, b []Option) bool {
	return slices.EqualFunc(a, b, func(a, b Option) bool {
		return a.Name == b.Name && a.File == b.File && slices.Equal(a.Values, b.Values)
	})
}

// Identity is how the runner presents itself at GitHub.
type Identity struct {
	Labels          []string `json:"labels"`
	NoDefaultLabels bool     `json:"no_default_labels"`
	Group           string   `json:"runner_group"`
	Work            string   `json:"work"`
	Ephemeral       bool     `json:"ephemeral"`
	JIT             bool     `json:"jit"` // registered by just-in-time configurations
	DisableUpdate   bool     `json:"disable_update"`
}

// EffectiveLabels are the labels that GitHub gets.
func (r Record) EffectiveLabels() []string {
	if r.ResolvedLabels != nil {
		return r.ResolvedLabels
	}
	return r.Labels
}

// Differs names the options in which want differs from what is registered.
func (i Identity) Differs(want Identity) []string {
	var names []string
	note := func(differs bool, name string) {
		if differs {
			names = append(names, name)
		}
	}
	note(!SameLabels(i.Labels, want.Labels), "labels")
	note(i.NoDefaultLabels != want.NoDefaultLabels, "no-default-labels")
	note(!strings.EqualFold(i.Group, want.Group), "runnergroup") // GitHub and config.sh do not tell them apart either
	note(i.Work != want.Work, "work")
	note(i.Ephemeral != want.Ephemeral, "ephemeral")
	note(i.JIT != want.JIT, "jit")
	note(i.DisableUpdate != want.DisableUpdate, "disableupdate")
	return names
}

// SameLabels tells whether two lists make the same labels: at GitHub neither case nor order counts, nor that one is given twice.
func SameLabels(a, b []string) bool {
	set := func(labels []string) []string {
		folded := make([]string, 0, len(labels))
		for _, label := range labels {
			folded = append(folded, strings.ToLower(strings.TrimSpace(label)))
		}
		slices.Sort(folded)
		return slices.Compact(folded)
	}
	return slices.Equal(set(a), set(b))
}

// ErrName is matched by errors about a runner's name.
var ErrName = errors.New("not a runner name")

// MaxName is the longest name that GitHub takes.
const MaxName = 64

// validName is narrower than GitHub's rule, which takes nearly anything: a
// name becomes a directory and a part of a unit's name.
var validName = pattern.New(`^[A-Za-z0-9_][A-Za-z0-9._-]*$`)

// otherOnWindows is a name that Windows takes for another one, or for a device.
var otherOnWindows = pattern.New(`(?i)\.$|^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)`)

// CheckName refuses names that cannot be a directory and a unit everywhere, and on Windows those that are no directory there.
func CheckName(name string) error {
	if len(name) > MaxName {
		return fmt.Errorf("%w: %q has %d characters, GitHub takes %d", ErrName, name, len(name), MaxName)
	}
	if !validName.MatchString(name) {
		return fmt.Errorf("%w: %q (letters, digits, '.', '_' and '-', not beginning with '.' or '-')", ErrName, name)
	}
	if runtime.GOOS == "windows" && otherOnWindows.MatchString(name) {
		return fmt.Errorf("%w: %q (Windows leaves out a dot at the end, and has devices called CON, NUL, COM1 and the like)", ErrName, name)
	}
	return nil
}

// ToDelete are the ids that GitHub is to list no more, once the record is to say another.
func (r Record) ToDelete() []int64 {
	if r.RunnerID == 0 || slices.Contains(r.PendingDeletes, r.RunnerID) {
		return r.PendingDeletes
	}
	return append(slices.Clone(r.PendingDeletes), r.RunnerID)
}
