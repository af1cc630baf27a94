package sealcheck

import (
	"bytes"
	"crypto/md5" //nolint:gosec // what dpkg has written down
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/runner-bootstrap/runner-bootstrap/internal/openfile"
)

// published knows the files that the packages of a distribution have brought. It reads their list when it is first asked.
type published struct{ sums func() map[string]string }

// readPublished knows those of dpkg, which has the MD5 of each file in the lists of the packages, and of the settings that they
// bring in its list of packages. It is not there to find a forgery: who could make one has better ways.
func readPublished(system string) published {
	return published{sync.OnceValue(func() map[string]string {
		all := map[string]string{}
		if system == "" {
			return all
		}
		lists, err := filepath.Glob(filepath.Join(system, "var/lib/dpkg/info/*.md5sums"))
		if err != nil {
			return all
		}
		for _, list := range lists {
			const most = 16 << 20
			text, err := openfile.ReadItself(list, most)
			if err != nil {
				continue
			}
			for line := range bytes.Lines(text) {
				if sum, name, found := strings.Cut(strings.TrimRight(string(line), "\n"), "  "); found {
					all[name] = sum
				}
			}
		}
		addConffiles(all, filepath.Join(system, "var/lib/dpkg/status"))
		return all
	})}
}

// addConffiles reads the settings that packages have brought, of which dpkg's list of packages has a line each, below a field
// of that name: a blank, the path, its MD5 (deb-conffiles(5)).
func addConffiles(all map[string]string, list string) {
	const most = 64 << 20
	text, err := openfile.ReadItself(list, most)
	if err != nil {
		return // no dpkg, so nothing of it
	}
	inside := false
	for line := range bytes.Lines(text) {
		if line[0] != ' ' {
			inside = bytes.HasPrefix(line, []byte("Conffiles:"))
			continue
		}
		if words := bytes.Fields(line); inside && len(words) >= 2 {
			all[strings.TrimPrefix(string(words[0]), "/")] = string(words[1])
		}
	}
}

// unlisted says of which package manager the lists of published files are not read.
func unlisted(system string) []string {
	for _, manager := range []struct{ name, database string }{
		{"rpm", "var/lib/rpm"},
		{"rpm", "usr/lib/sysimage/rpm"},
		{"apk", "lib/apk/db/installed"},
		{"apk", "usr/lib/apk/db/installed"},
		{"pacman", "var/lib/pacman/local"},
	} {
		if _, err := os.Stat(filepath.Join(system, manager.database)); err == nil {
			return []string{"which files the packages of " + manager.name + " have brought, as its lists are not read: an example " +
				"key or token that is published in one of them is told like a secret (--seal-except)"}
		}
	}
	return nil
}

// has tells whether a file is one of a package, unchanged. name is relative to the system's root.
func (p published) has(name, path string) bool {
	want := p.sums()[name]
	if want == "" {
		// Where / has links into /usr, a package may name a file by either way.
		want = p.sums()[strings.TrimPrefix(name, "usr/")]
	}
	if want == "" {
		return false
	}
	file, err := openfile.OpenItself(path)
	if err != nil {
		return false
	}
	defer file.Close()
	sum := md5.New() //nolint:gosec // as above
	if _, err := io.Copy(sum, file); err != nil {
		return false
	}
	return hex.EncodeToString(sum.Sum(nil)) == want
}

// packagedPlace tells whether a place is the packages' own, so that the texts in it are programs and documentation.
func packagedPlace(name string) bool {
	top, rest, _ := strings.Cut(name, "/")
	switch top {
	case "usr":
		return !strings.HasPrefix(rest, "local/")
	case "bin", "sbin", "lib", "lib32", "lib64", "libx32", "boot":
		return true
	}
	return strings.HasPrefix(name, "var/lib/dpkg/info/") || strings.HasPrefix(name, "var/cache/apt/") ||
		strings.HasPrefix(name, "var/lib/apt/lists/")
}
