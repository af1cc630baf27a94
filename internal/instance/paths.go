package instance

import "path/filepath"

// Paths says where everything lives on this host.
type Paths struct {
	Config  string // the configuration file
	State   string // records, 0700
	Runners string // the parent of runner roots
	Cache   string // verified archives; safe to delete at any time
}

// DefaultPaths gives the usual places, or with a prefix the same four below
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
	}
}

// Root is the runner root of the runner called name.
func (p Paths) Root(name string) string { return filepath.Join(p.Runners, name) }
