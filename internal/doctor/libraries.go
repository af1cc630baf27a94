package doctor

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/libraries"
)

func (h Host) libraries(context.Context) []Finding {
	const check, object = "libraries", "the loader's cache and folders"
	if runtime.GOOS != "linux" {
		return skipped(check, "the system has them all")
	}
	l := libraries.Of("/")
	needed, optional := l.Missing(h.Invariant)
	var all []Finding
	if len(needed) > 0 {
		all = one(check, Failed, object, "missing: "+libraries.Names(needed), h.installing())
	}
	for _, wanted := range optional {
		found := "missing: " + wanted.Name + ", which the runner can go without"
		if !strings.HasPrefix(wanted.Name, "Kerberos") {
			found = "missing: " + wanted.Name + ", which .NET is told to go without; config.sh asks for it all the same, --jit does not"
		}
		all = append(all, one(check, Warning, object, found, h.installing())...)
	}
	if len(all) > 0 {
		return all
	}
	var where []string
	for _, path := range l.Found() {
		where = append(where, filepath.Base(path))
	}
	return one(check, OK, object, strings.Join(where, ", "), "")
}

// Repair installs the libraries that a runner needs and this host lacks, as [libraries.Install] does. It fixes nothing else, and
// does nothing where nothing is missing.
func (h Host) Repair(ctx context.Context, say func(string)) error {
	needed, optional := libraries.Of("/").Missing(h.Invariant)
	wanted := append(needed, optional...)
	for _, tree := range h.trees() {
		var missing *libraries.MissingError
		if errors.As(libraries.Check(tree, h.Invariant), &missing) {
			wanted = append(wanted, missing.Beside(wanted)...)
		}
	}
	if len(wanted) == 0 && runtime.GOOS == "linux" {
		say("no library is missing")
		return nil
	}
	return libraries.Install(ctx, wanted, h.Environment, say)
}

// installing is how missing libraries are installed.
func (h Host) installing() string { return h.asRoot("--fix") }

// unpacked looks at every runner that lies on this host already, for it says by itself what it needs.
func (h Host) unpacked(context.Context) []Finding {
	const check = "runner"
	if runtime.GOOS != "linux" {
		return skipped(check, "the system has all libraries")
	}
	trees := h.trees()
	if len(trees) == 0 {
		return skipped(check, "none is unpacked on this host yet")
	}
	var all []Finding
	for _, tree := range trees {
		err := libraries.Check(tree, h.Invariant)
		var missing *libraries.MissingError
		switch {
		case errors.As(err, &missing):
			all = append(all, one(check, Failed, tree, "its files need "+strings.Join(missing.Names, ", "), h.installing())...)
		case err != nil:
			all = append(all, one(check, Warning, tree, err.Error(), h.asRoot())...)
		}
	}
	if len(all) > 0 {
		return all
	}
	return one(check, OK, strings.Join(trees, ", "), "all libraries that its files need are there", "")
}

// cached are the runners of the cache that are for this host, the newest first.
func (h Host) cached() []download.Entry {
	entries, err := download.Cache{Dir: h.Paths.Cache}.Entries()
	platform, unknown := download.Host()
	if err != nil || unknown != nil {
		return nil
	}
	return slices.DeleteFunc(entries, func(e download.Entry) bool { return e.Platform != platform.String() })
}

// trees are the unpacked runners of the cache and those that are installed. What cannot be read is left out: the check
// of the directories tells of it.
func (h Host) trees() []string {
	var all []string
	for _, entry := range h.cached() {
		all = append(all, filepath.Join(entry.Dir, "tree"))
	}
	roots, err := os.ReadDir(h.Paths.Runners)
	if err != nil {
		return all
	}
	for _, root := range roots {
		dir := filepath.Join(h.Paths.Runners, root.Name())
		if info, err := os.Stat(filepath.Join(dir, "bin")); err == nil && info.IsDir() {
			all = append(all, dir)
		}
	}
	return all
}
