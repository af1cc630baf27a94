// Package libraries knows the shared libraries that GitHub's runner needs, tells which of them a Linux system lacks, and installs
// those with the package manager of its distribution.
package libraries

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// ErrMissing is matched by every [*MissingError].
var ErrMissing = errors.New("libraries that the runner needs are missing")

// MissingError says which libraries an unpacked runner does not find on this host.
type MissingError struct {
	Tree  string
	Names []string // "ICU (libicuuc, libicui18n)", "libz.so.1"
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("looking for what the runner in %q needs: %v: %s", e.Tree, ErrMissing, strings.Join(e.Names, ", "))
}

// Is matches [ErrMissing].
func (e *MissingError) Is(target error) bool { return target == ErrMissing }

const (
	// The versions of ICU that .NET 8 tries to open.
	icuOldest, icuNewest = 50, 100
	// tracer wants LTTng, and is left alone without it.
	tracer = "libcoreclrtraceptprovider.so"
)

// Library is something that the runner opens by itself while it runs, so that no ELF file names it.
type Library struct {
	Name     string
	choices  [][]string // any of these, all files of it
	asker    string     // the runner's file that opens it
	optional bool       // the runner goes without
}

// opened are the libraries that .NET opens, and those that its own files name in all releases so far.
func opened() []Library {
	icu := Library{Name: "ICU (libicuuc, libicui18n)", asker: "libSystem.Globalization.Native.so"}
	for version := icuNewest; version >= icuOldest; version-- {
		icu.choices = append(icu.choices, []string{fmt.Sprintf("libicuuc.so.%d", version), fmt.Sprintf("libicui18n.so.%d", version)})
	}
	return []Library{
		icu,
		{
			Name: "OpenSSL (libssl 3 or 1.1)", asker: "libSystem.Security.Cryptography.Native.OpenSsl.so",
			choices: [][]string{{"libssl.so.3", "libcrypto.so.3"}, {"libssl.so.1.1", "libcrypto.so.1.1"}},
		},
		{
			Name: "Kerberos (libgssapi_krb5)", asker: "libSystem.Net.Security.Native.so", optional: true,
			choices: [][]string{{"libgssapi_krb5.so.2"}},
		},
		{Name: "zlib", choices: [][]string{{"libz.so.1"}}},
		{Name: "libstdc++", choices: [][]string{{"libstdc++.so.6"}}},
		{Name: "libgcc", choices: [][]string{{"libgcc_s.so.1"}}},
	}
}

// dispensable tells whether the runner goes without it.
func (l Library) dispensable(invariant bool) bool {
	return l.optional || invariant && strings.HasPrefix(l.Name, "ICU")
}

// Where returns the first file of what was found; empty if the library is missing.
func (l Loader) Where(wanted Library) string {
	for _, files := range wanted.choices {
		first := ""
		for _, file := range files {
			path := l.Find(file)
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

// Check returns a [*MissingError] if this host lacks a library that the unpacked runner in tree needs. What it
// needs is read from its own files alone. With invariant, .NET is told to go without ICU. Other systems than Linux have
// all libraries.
func Check(tree string, invariant bool) error {
	if runtime.GOOS != "linux" {
		return nil
	}
	return Of("/").check(tree, invariant)
}

func (l Loader) check(tree string, invariant bool) error {
	bin := filepath.Join(tree, "bin")
	entries, err := os.ReadDir(bin)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading the runner's programs: %w", err)
	}
	missing := &MissingError{Tree: tree}
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
		if beside[wanted.asker] && !wanted.dispensable(invariant) && l.Where(wanted) == "" {
			missing.Names = append(missing.Names, wanted.Name)
		}
	}
	for _, path := range append(files, nodes(tree)...) {
		for _, name := range l.needed(path) {
			if !beside[name] && !slices.Contains(missing.Names, name) && l.Find(name) == "" {
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

// Names are what the libraries are called, for a person.
func Names(all []Library) string {
	names := make([]string, 0, len(all))
	for _, one := range all {
		names = append(names, one.Name)
	}
	return strings.Join(names, ", ")
}

// Missing are the libraries that a runner needs and that this host lacks, and of those the ones it can go without. With
// invariant, .NET is told to go without ICU.
func (l Loader) Missing(invariant bool) (needed, optional []Library) {
	for _, wanted := range opened() {
		switch {
		case l.Where(wanted) != "":
		case wanted.dispensable(invariant):
			optional = append(optional, wanted)
		default:
			needed = append(needed, wanted)
		}
	}
	return needed, optional
}

// Found are the files of the libraries that every runner opens, one for each that this host has.
func (l Loader) Found() []string {
	var all []string
	for _, wanted := range opened() {
		if path := l.Where(wanted); path != "" {
			all = append(all, path)
		}
	}
	return all
}
