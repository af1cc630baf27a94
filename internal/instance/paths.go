package instance

import (
	"cmp"
	"path/filepath"
)

// Paths says where everything lives on this host.
type Paths struct {
	Config  string // the configuration file
	State   string // records, 0700
	Runners string // the parent of runner roots
	Cache   string // verified archives; safe to delete at any time
	Control string // the sockets of running agents, 0700; on Windows the beginning of their pipes' names
}

// DefaultPaths gives the usual places, or with a prefix the same five below
// that one directory, which then needs no privileges.
func DefaultPaths(prefix string) Paths {
	if prefix == "" {
		return systemPaths()
	}
	return Paths{
		Config:  filepath.Join(prefix, "config.yaml"),
		State:   filepath.Join(prefix, "state"),
		Runners: filepath.Join(prefix, "runners"),
		Cache:   filepath.Join(prefix, "cache"),
		Control: controlBelow(prefix),
	}
}

// Root is the runner root of the runner called name.
func (p Paths) Root(name string) string { return filepath.Join(p.Runners, name) }

// Log is where the agent of the runner called name writes its log, on a host without a journal. It goes with the record.
func (p Paths) Log(name string) string {
	return filepath.Join(NewStore(p.State).home(name), "agent.log")
}

// NextDir is where another copy of the runner is put together, and where the one before is until it is removed: beside
// its place, under a name that no runner can have.
func (r Record) NextDir() string { return filepath.Join(filepath.Dir(r.Dir), "."+r.Name+".next") }

// AheadDir is where the agent makes the next copy of the runner while a job runs, and removes the one before: private to
// root, beside its place, under a name that no runner can have.
func (r Record) AheadDir() string { return filepath.Join(filepath.Dir(r.Dir), "."+r.Name+".ahead") }

// LifeDir is where each life of the listener has its own home and temporary folders, under a name that no runner can have.
func (r Record) LifeDir() string { return filepath.Join(filepath.Dir(r.Dir), "."+r.Name+".life") }

// LifeName is what the lives of the listener are called on this host; the service manager knows them by it.
func (r Record) LifeName() string { return lifeName(cmp.Or(r.Service, r.Name)) }

// RegisterName is what the runs of config.sh are called in the same way.
func (r Record) RegisterName() string { return "register." + cmp.Or(r.Service, r.Name) }

// Away is where a copy of the runner waits while two change places by renames.
func Away(dir string) string { return dir + ".away" }
