package jail

import (
	"cmp"
	"path/filepath"
	"slices"
	"sort"
	"strings"
)

// covered are the paths that a life with this view does not see, by what each is for.
func (v View) covered() []string {
	hidden := slices.Clone(v.Hidden)
	if !v.DBus && !v.Sudo {
		// systemd's own socket, D-Bus with all that answers on it, and the sockets of users' managers: each starts programs
		// outside of a life.
		hidden = append(hidden, "/run/dbus", "/run/systemd/private", "/run/user")
	}
	if !v.Sudo {
		hidden = append(hidden, "/var/spool/cron", "/var/spool/at", "/var/spool/atjobs")
	}
	if !v.Docker {
		hidden = append(hidden, "/run/docker.sock", "/run/containerd", "/run/podman", "/run/crio")
	}
	return append(hidden, "/home", "/root")
}

// kept are the paths that stay in what is covered.
func (v View) kept() []string {
	if v.Home == "" || v.Fresh {
		return v.Writable
	}
	return append(slices.Clone(v.Writable), v.Home)
}

// ownTemp tells whether a life has temporary folders of its own.
func (v View) ownTemp() bool { return v.Confined && !v.HostTemp && !v.Docker }

// change is one change of a view: at its path nothing is seen any more, or again what was there.
type change struct {
	path string
	hide bool
}

// changes are what is to be done for a view, parents first. Nothing is hidden that is hidden already, and nothing shown that is
// still to be seen: the nearest change above a path decides. Own folders count as hidden: what was there is not to be seen.
func changes(hidden, shown, own []string) []change {
	all := make([]change, 0, len(hidden)+len(shown))
	for _, path := range hidden {
		if !slices.Contains(shown, path) {
			all = append(all, change{path, true})
		}
	}
	for _, path := range shown {
		all = append(all, change{path, false})
	}
	sort.Slice(all, func(i, j int) bool {
		return cmp.Or(len(all[i].path)-len(all[j].path), strings.Compare(all[i].path, all[j].path)) < 0
	})
	all = slices.Compact(all)
	var done []change
	for _, c := range all {
		if c.hide != isHidden(c.path, done, own) {
			done = append(done, c)
		}
	}
	return done
}

// isHidden tells whether what was at path before the changes is hidden by them.
func isHidden(path string, done []change, own []string) bool {
	for dir := path; dir != "/"; {
		dir = filepath.Dir(dir)
		if slices.Contains(own, dir) {
			return true
		}
		if i := slices.IndexFunc(done, func(c change) bool { return c.path == dir }); i >= 0 {
			return done[i].hide
		}
	}
	return false
}
