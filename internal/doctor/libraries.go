package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
)

// ErrLibraries is matched by every [*missingError].
var ErrLibraries = errors.New("libraries that the runner needs are missing")

// missingError says which libraries an unpacked runner does not find on this host.
type missingError struct {
	Tree  string
	Names []string // "ICU (libicuuc, libicui18n)", "libz.so.1"
}

func (e *missingError) Error() string {
	return fmt.Sprintf("looking for what the runner in %q needs: %v: %s", e.Tree, ErrLibraries, strings.Join(e.Names, ", "))
}

// Is matches [ErrLibraries].
func (e *missingError) Is(target error) bool { return target == ErrLibraries }

const (
	// The versions of ICU that .NET 8 tries to open.
	icuOldest, icuNewest = 50, 100
	// tracer wants LTTng, and is left alone without it.
	tracer = "libcoreclrtraceptprovider.so"
)

// library is something that the runner opens by itself while it runs, so that no ELF file names it.
type library struct {
	name     string
	choices  [][]string // any of these, all files of it
	asker    string     // the runner's file that opens it
	optional bool       // the runner goes without
}

// opened are the libraries that .NET opens, and those that its own files name in all releases so far.
func opened() []library {
	icu := library{name: "ICU (libicuuc, libicui18n)", asker: "libSystem.Globalization.Native.so"}
	for version := icuNewest; version >= icuOldest; version-- {
		icu.choices = append(icu.choices, []string{fmt.Sprintf("libicuuc.so.%d", version), fmt.Sprintf("libicui18n.so.%d", version)})
	}
	return []library{
		icu,
		{
			name: "OpenSSL (libssl 3 or 1.1)", asker: "libSystem.Security.Cryptography.Native.OpenSsl.so",
			choices: [][]string{{"libssl.so.3", "libcrypto.so.3"}, {"libssl.so.1.1", "libcrypto.so.1.1"}},
		},
		{
			name: "Kerberos (libgssapi_krb5)", asker: "libSystem.Net.Security.Native.so", optional: true,
			choices: [][]string{{"libgssapi_krb5.so.2"}},
		},
		{name: "zlib", choices: [][]string{{"libz.so.1"}}},
		{name: "libstdc++", choices: [][]string{{"libstdc++.so.6"}}},
		{name: "libgcc", choices: [][]string{{"libgcc_s.so.1"}}},
	}
}

// dispensable tells whether the runner goes without it.
func (l library) dispensable(invariant bool) bool {
	return l.optional || invariant && strings.HasPrefix(l.name, "ICU")
}

// where returns the first file of what was found; empty if the library is missing.
func (l loader) where(wanted library) string {
	for _, files := range wanted.choices {
		first := ""
		for _, file := range files {
			path := l.find(file)
			if path == "" {
				first = ""
				break
			}
			if first == "" {
				first = path
			}
		}
		if first != "" {
			return first
		}
	}
	return ""
}

// Invariant tells whether an environment ("KEY=VALUE") lets .NET go without ICU.
func Invariant(environment []string) bool {
	on := false
	for _, variable := range environment {
		if value, found := strings.CutPrefix(variable, "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT="); found {
			on = value == "1" || strings.EqualFold(value, "true") // the last one counts
		}
	}
	return on
}

// Libraries returns a [*missingError] if this host lacks a library that the unpacked runner in tree needs. What it
// needs is read from its own files alone. With invariant, .NET is told to go without ICU. Other systems than Linux have
// all libraries.
func Libraries(tree string, invariant bool) error {
	if runtime.GOOS != "linux" {
		return nil
	}
	return newLoader("/").libraries(tree, invariant)
}

func (l loader) libraries(tree string, invariant bool) error {
	bin := filepath.Join(tree, "bin")
	entries, err := os.ReadDir(bin)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading the runner's programs: %w", err)
	}
	missing := &missingError{Tree: tree}
	beside := map[string]bool{}
	var files []string
	for _, entry := range entries {
		name := entry.Name()
		beside[name] = true
		if name == "Runner.Listener" || name == "Runner.Worker" || strings.HasSuffix(name, ".so") && name != tracer {
			files = append(files, filepath.Join(bin, name))
		}
	}
	for _, wanted := range opened() {
		if beside[wanted.asker] && !wanted.dispensable(invariant) && l.where(wanted) == "" {
			missing.Names = append(missing.Names, wanted.name)
		}
	}
	for _, path := range append(files, nodes(tree)...) {
		for _, name := range l.needed(path) {
			if !beside[name] && !slices.Contains(missing.Names, name) && l.find(name) == "" {
				missing.Names = append(missing.Names, name)
			}
		}
	}
	if len(missing.Names) == 0 {
		return nil
	}
	return missing
}

// nodes are the programs that run actions; those for containers of another C library are not started on the host.
func nodes(tree string) []string {
	folders, err := os.ReadDir(filepath.Join(tree, "externals"))
	if err != nil {
		return nil
	}
	var all []string
	for _, folder := range folders {
		if strings.HasPrefix(folder.Name(), "node") && !strings.HasSuffix(folder.Name(), "_alpine") {
			all = append(all, filepath.Join(tree, "externals", folder.Name(), "bin", "node"))
		}
	}
	return all
}

// missingOpened are the libraries that a runner needs and that this host lacks, and of those the ones it can go
// without.
func (h Host) missingOpened(l loader) (needed, optional []library) {
	for _, wanted := range opened() {
		switch {
		case l.where(wanted) != "":
		case wanted.dispensable(h.Invariant):
			optional = append(optional, wanted)
		default:
			needed = append(needed, wanted)
		}
	}
	return needed, optional
}

func libraryNames(all []library) string {
	names := make([]string, 0, len(all))
	for _, one := range all {
		names = append(names, one.name)
	}
	return strings.Join(names, ", ")
}

func (h Host) libraries(context.Context) []Finding {
	const check, object = "libraries", "the loader's cache and folders"
	if runtime.GOOS != "linux" {
		return skipped(check, "the system has them all")
	}
	l := newLoader("/")
	needed, optional := h.missingOpened(l)
	var all []Finding
	if len(needed) > 0 {
		all = one(check, Failed, object, "missing: "+libraryNames(needed), h.installing())
	}
	for _, wanted := range optional {
		found := "missing: " + wanted.name + ", which the runner can go without"
		if !strings.HasPrefix(wanted.name, "Kerberos") {
			found = "missing: " + wanted.name + ", which .NET is told to go without; config.sh asks for it all the same, --jit does not"
		}
		all = append(all, one(check, Warning, object, found, h.installing())...)
	}
	if len(all) > 0 {
		return all
	}
	var where []string
	for _, wanted := range opened() {
		where = append(where, filepath.Base(l.where(wanted)))
	}
	return one(check, OK, object, strings.Join(where, ", "), "")
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
		err := Libraries(tree, h.Invariant)
		var missing *missingError
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
