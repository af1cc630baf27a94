//go:build e2e && linux

package machine

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Files returns a fingerprint of everything below the given absolute paths: type, mode and owner; of a file
// also size and content, of a link its target. Times are left out. A path that is not there adds nothing.
func (m *Machine) Files(roots ...string) map[string]string {
	m.t.Helper()
	found := map[string]string{}
	err := m.inside(func(root *os.Root) error {
		for _, folder := range roots {
			if err := fingerprints(root, folder, found); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		m.t.Fatalf("looking at the machine's files: %v", err)
	}
	return found
}

// Users returns the machine's accounts and groups, as "user NAME" and "group NAME" with their lines.
func (m *Machine) Users() map[string]string {
	m.t.Helper()
	found := map[string]string{}
	for kind, file := range map[string]string{"user": "/etc/passwd", "group": "/etc/group"} {
		for line := range strings.Lines(m.Read(file)) {
			name, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
			found[kind+" "+name] = rest
		}
	}
	return found
}

// Units returns what systemd knows: "file NAME" with whether it is enabled, and "unit NAME" with its states.
func (m *Machine) Units() map[string]string {
	m.t.Helper()
	found := map[string]string{}
	lists := map[string]string{
		"file": m.Must("systemctl", "list-unit-files", "--no-pager", "--no-legend", "--plain"),
		"unit": m.Must("systemctl", "list-units", "--all", "--no-pager", "--no-legend", "--plain"),
	}
	for kind, list := range lists {
		for line := range strings.Lines(list) {
			fields := strings.Fields(line)
			switch {
			case kind == "file" && len(fields) >= 2:
				found["file "+fields[0]] = fields[1]
			case kind == "unit" && len(fields) >= 4:
				found["unit "+fields[0]] = strings.Join(fields[1:4], " ")
			}
		}
	}
	return found
}

// Journal returns what was logged since the machine was last started.
func (m *Machine) Journal() string {
	m.t.Helper()
	return m.Must("journalctl", "--boot", "--no-pager", "--quiet", "--output=short-monotonic")
}

// Read returns the content of a file, and fails the test if there is none.
func (m *Machine) Read(name string) string {
	m.t.Helper()
	var content []byte
	err := m.inside(func(root *os.Root) (err error) {
		content, err = root.ReadFile(relative(name))
		return err
	})
	if err != nil {
		m.t.Fatalf("reading the machine's %q: %v", name, err)
	}
	return string(content)
}

// Write writes a file, owned by root, and makes the folders above it.
func (m *Machine) Write(name, content string, mode fs.FileMode) {
	m.t.Helper()
	err := m.inside(func(root *os.Root) error {
		if err := root.MkdirAll(relative(filepath.Dir(name)), 0o755); err != nil {
			return err
		}
		if err := root.WriteFile(relative(name), []byte(content), mode); err != nil {
			return err
		}
		return root.Chmod(relative(name), mode) // whatever the umask, and if the file was there
	})
	if err != nil {
		m.t.Fatalf("writing the machine's %q: %v", name, err)
	}
}

// Exists says whether there is a file, folder or link of that name, be it a dangling one.
func (m *Machine) Exists(name string) bool {
	m.t.Helper()
	exists := false
	err := m.inside(func(root *os.Root) error {
		_, err := root.Lstat(relative(name))
		exists = err == nil
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		m.t.Fatalf("looking for the machine's %q: %v", name, err)
	}
	return exists
}

// Diff compares two looks at the same thing: a line with "+", "-" or "~" for each difference, in order.
func Diff(before, after map[string]string) []string {
	names := maps.Clone(before)
	maps.Copy(names, after)
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(names)) {
		was, had := before[name]
		is, has := after[name]
		switch {
		case !had:
			lines = append(lines, fmt.Sprintf("+ %s: %s", name, is))
		case !has:
			lines = append(lines, fmt.Sprintf("- %s: %s", name, was))
		case was != is:
			lines = append(lines, fmt.Sprintf("~ %s: %s -> %s", name, was, is))
		}
	}
	return lines
}

// inside gives f the running machine's files as its first process sees them. No link in them leads out.
func (m *guest) inside(f func(root *os.Root) error) error {
	leader, err := m.first()
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(fmt.Sprintf("/proc/%d/root", leader))
	if err != nil {
		return err
	}
	return errors.Join(f(root), root.Close())
}

func relative(name string) string {
	if name = strings.TrimPrefix(name, "/"); name == "" {
		return "."
	}
	return name
}

func fingerprints(root *os.Root, folder string, found map[string]string) error {
	return fs.WalkDir(root.FS(), relative(folder), func(name string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		found["/"+name], err = fingerprint(root, name, info)
		return err
	})
}

func fingerprint(root *os.Root, name string, info fs.FileInfo) (string, error) {
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "", fmt.Errorf("looking at %q: no owner", name)
	}
	text := fmt.Sprintf("%s %d:%d", info.Mode(), owner.Uid, owner.Gid)
	switch {
	case info.Mode().IsRegular():
		content, err := root.ReadFile(name)
		if err != nil {
			return "", err
		}
		text += fmt.Sprintf(" %d bytes, sha256 %x", len(content), sha256.Sum256(content))
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := root.Readlink(name)
		if err != nil {
			return "", err
		}
		text += " -> " + target
	}
	return text, nil
}
