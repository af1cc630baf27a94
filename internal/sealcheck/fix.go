package sealcheck

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/atomicfile"
	"github.com/runner-bootstrap/runner-bootstrap/internal/removal"
)

// way is what can be done about a finding without asking anybody: what goes is made again by who uses it, or is of no use to a copy.
type way struct {
	words string
	// paths go; those that are not there are fine.
	paths []string
	// empty is a file that stays, with nothing in it.
	empty string
	// asked means that this is done only to those who ask for it.
	asked bool
}

// wayFor says it of one finding. What people have made is never among it, be it a file with a secret.
func (h Host) wayFor(f Finding) way {
	in := func(names ...string) []string {
		var paths []string
		for _, name := range names {
			paths = append(paths, filepath.Join(h.System, filepath.FromSlash(name)))
		}
		return paths
	}
	if h.System == "" {
		return way{}
	}
	name := h.below(f.Path)
	if rest, found := strings.CutPrefix(name, "var/lib/cloud/"); found {
		if top, _, _ := strings.Cut(rest, "/"); removal.IsDoomed(top) {
			return way{words: "remove it: a removal that was interrupted has left it", paths: in("var/lib/cloud/" + top)}
		}
	}
	if f.Kind == Identity {
		return identityWay(name, in)
	}
	below := func(folders ...string) bool {
		return slices.ContainsFunc(folders, func(folder string) bool { return strings.HasPrefix(name, folder+"/") })
	}
	switch {
	case f.Kind != Secret && f.Kind != Runner && f.Kind != Memory:
	case below("var/lib/cloud/instance", "var/lib/cloud/instances", "var/lib/cloud/data", "var/lib/cloud/sem"):
		return way{
			words: "remove what cloud-init remembers of this host: it makes that at each first boot",
			paths: in("var/lib/cloud/instance", "var/lib/cloud/instances", "var/lib/cloud/data", "var/lib/cloud/sem"),
		}
	case below("var/log"):
		return way{words: "remove this log: each machine writes its own", paths: []string{f.Path}}
	case f.Kind == Memory && below("var/lib/systemd/coredump", "var/crash", "var/lib/apport/coredump"):
		return way{words: "remove this core dump: the system would have, in some days", paths: []string{f.Path}}
	case below("tmp"):
		return way{words: "remove it: nothing in this folder outlives a boot by right", paths: []string{f.Path}}
	}
	return way{}
}

func identityWay(name string, in func(...string) []string) way {
	base := path.Base(name)
	switch {
	case name == "etc/machine-id":
		return way{words: "empty it: the first boot of each machine fills it", empty: in(name)[0], asked: true}
	case name == "var/lib/dbus/machine-id", strings.HasSuffix(name, "/random-seed"):
		return way{words: "remove it: the first boot of each machine makes one", paths: in(name), asked: true}
	case strings.HasPrefix(base, "ssh_host_"):
		return way{
			words: "remove it: cloud-init makes one for each machine, where it runs; ssh-keygen -A does elsewhere",
			paths: in(name, name+".pub"), asked: true,
		}
	case strings.HasPrefix(name, "var/lib/docker/"), name == "etc/docker/key.json":
		return way{words: "remove it: Docker makes one for each machine", paths: in(name), asked: true}
	case strings.Contains(base, ".lease"), base == "secret_key", strings.HasPrefix(name, "var/lib/dhcpcd/"),
		strings.HasPrefix(name, "var/lib/wicked/"), name == "etc/dhcpcd.duid":
		return way{words: "remove it: each machine asks for its own", paths: in(name), asked: true}
	}
	return way{}
}

// Fix does what the findings of a report say can be done, and with identity also about what tells machines apart. It returns
// what has gone, and what would not go. Each thing goes whole, by a rename, or stays as it is; called again it continues.
func (h Host) Fix(ctx context.Context, report Report, identity bool) (removed []string, err error) {
	var problems []error
	done := map[string]bool{}
	for _, f := range report.Findings {
		if f.way.asked && !identity || h.excepted(f.Path) {
			continue
		}
		for _, path := range f.way.paths {
			if done[path] || ctx.Err() != nil {
				continue
			}
			done[path] = true
			gone, err := remove(path)
			if gone {
				removed = append(removed, path)
			}
			problems = append(problems, err)
		}
		if empty := f.way.empty; empty != "" && !done[empty] && ctx.Err() == nil {
			done[empty] = true
			const mode = 0o444 // as systemd makes it
			err := atomicfile.Write(empty, nil, atomicfile.Options{Mode: mode})
			if err == nil {
				removed = append(removed, empty)
			}
			problems = append(problems, err)
		}
	}
	return removed, errors.Join(append(problems, ctx.Err())...)
}

// remove takes away what is at a path: a file, a link, or a folder, which has another name before anything in it goes.
func remove(path string) (bool, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil && !info.IsDir() {
		err = os.Remove(path)
		if err != nil {
			return false, fmt.Errorf("removing what an image has no use for: %w", err)
		}
		return true, nil
	}
	doomed := filepath.Join(filepath.Dir(path), removal.Doomed())
	if err := os.Rename(path, doomed); err != nil {
		return false, fmt.Errorf("removing what an image has no use for: %w", err)
	}
	return true, removal.Path(doomed)
}
