//go:build e2e && linux

package wine

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// requireAdministrator is what a program says of itself that only an administrator may start. Wine's processes have no
// administrator's token but for such a program; it takes this from a file beside the program as well.
const requireAdministrator = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<assembly xmlns="urn:schemas-microsoft-com:asm.v1" manifestVersion="1.0">
<trustInfo xmlns="urn:schemas-microsoft-com:asm.v3"><security><requestedPrivileges>
<requestedExecutionLevel level="requireAdministrator" uiAccess="false"/>
</requestedPrivileges></security></trustInfo>
</assembly>
`

// root is the machine's files as this host sees them.
func (m *Machine) root() string { return fmt.Sprintf("/proc/%d/root", m.first) }

// inTree turns an absolute path of Windows into one of the machine's Linux. Case does not matter in it, as in Windows.
func (m *Machine) inTree(windows string) (string, error) {
	drive, below, found := strings.Cut(windows, ":")
	if !found || len(drive) != 1 || below != "" && !strings.HasPrefix(below, `\`) {
		return "", fmt.Errorf("%q is no absolute path of Windows", windows)
	}
	var at string
	switch strings.ToLower(drive) {
	case "c":
		at = prefix + "/drive_c"
	case "z":
	default:
		return "", fmt.Errorf("%q: the machine has the drives C: and Z: only", windows)
	}
	for _, name := range strings.FieldsFunc(below, func(r rune) bool { return r == '\\' }) {
		at = path.Join(at, called(filepath.Join(m.root(), at), name))
	}
	return path.Join("/", at), nil
}

// called is the name that a file has in a folder, when its case is left aside; name itself where there is none.
func called(at, name string) string {
	if _, err := os.Lstat(filepath.Join(at, name)); err == nil {
		return name
	}
	entries, err := os.ReadDir(at)
	if err != nil {
		return name
	}
	i := slices.IndexFunc(entries, func(e fs.DirEntry) bool { return strings.EqualFold(e.Name(), name) })
	if i < 0 {
		return name
	}
	return entries[i].Name()
}

// Path is where this host sees a path of Windows. It is there while the machine is.
func (m *Machine) Path(windows string) string {
	m.t.Helper()
	at, err := m.inTree(windows)
	if err != nil {
		m.t.Fatal(err)
	}
	return m.root() + at
}

// Put copies a file of this host to a path of Windows, whose folder is made if it is missing.
func (m *Machine) Put(host, windows string) {
	m.t.Helper()
	from, err := os.Open(host)
	if err != nil {
		m.t.Fatalf("putting %q into the machine: %v", windows, err)
	}
	defer from.Close() //nolint:errcheck // it was only read
	if err := m.copyIn(from, windows); err != nil {
		m.t.Fatalf("putting %q into the machine: %v", windows, err)
	}
}

// Write makes a file with a content, or replaces it; its folder is made if it is missing.
func (m *Machine) Write(windows, content string) {
	m.t.Helper()
	if err := m.copyIn(strings.NewReader(content), windows); err != nil {
		m.t.Fatalf("writing %q in the machine: %v", windows, err)
	}
}

func (m *Machine) copyIn(from io.Reader, windows string) error {
	at := m.Path(windows)
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		return err
	}
	to, err := os.OpenFile(at, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o755) //nolint:gosec // programs are among them
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	return errors.Join(err, to.Close())
}

// Read returns what a file holds.
func (m *Machine) Read(windows string) string {
	m.t.Helper()
	text, err := os.ReadFile(m.Path(windows))
	if err != nil {
		m.t.Fatalf("reading %q in the machine: %v", windows, err)
	}
	return string(text)
}

// Exists tells whether there is anything at a path.
func (m *Machine) Exists(windows string) bool {
	m.t.Helper()
	_, err := os.Lstat(m.Path(windows))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		m.t.Fatalf("looking for %q in the machine: %v", windows, err)
	}
	return err == nil
}

// Elevate has a program run as an administrator from now on: beside it is said that it must.
func (m *Machine) Elevate(windows string) {
	m.t.Helper()
	m.Write(windows+".manifest", requireAdministrator)
}

// Files lists all files and folders below a folder, as paths of Windows, in order; none if it is not there. Two such lists,
// of before and after, tell what a program has left.
func (m *Machine) Files(windows string) []string {
	m.t.Helper()
	top := m.Path(windows)
	var found []string
	err := filepath.WalkDir(top, func(name string, _ fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it is not there, or went while we looked
		}
		if err != nil || name == top {
			return err
		}
		below := strings.ReplaceAll(strings.TrimPrefix(name, top), "/", `\`)
		found = append(found, strings.TrimSuffix(windows, `\`)+below)
		return nil
	})
	if err != nil {
		m.t.Fatalf("listing %q in the machine: %v", windows, err)
	}
	slices.Sort(found)
	return found
}
