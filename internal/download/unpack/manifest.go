package unpack

import (
	"cmp"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download/stamp"
)

// Manifest says what a tree is made of: names, types, modes, sizes, times, link
// targets, and the CRC-32C of every file's content. It tells damage, not malice:
// who can write to the tree can make one that fits.
//
// A Manifest does not change, so several goroutines may use it.
type Manifest struct {
	// In the order of their paths taken part by part: every directory stands
	// right before what is in it.
	entries []entry
	// hollow is a directory that counts as empty; rest has the marks of what is in it.
	hollow string
	rest   stamp.Stamp
}

// Hollow is the manifest of a tree in which a directory of the root is empty. Beside that the tree may have anything in that
// directory: nobody looks. What its files are known by is taken from noted, as nothing that is done with this manifest
// gives or takes names of theirs. A tree with hard links cannot be told apart so, and counts as a whole.
func (m *Manifest) Hollow(name string, noted stamp.Stamp) *Manifest {
	if slices.ContainsFunc(m.entries, func(e entry) bool { return e.kind == aHardLink }) {
		return m
	}
	return &Manifest{entries: m.entries, hollow: name, rest: noted}
}

// marks has room for the marks of all entries, and those of what nobody looks at.
func (m *Manifest) marks() stamp.Stamp {
	marks := make(stamp.Stamp, len(m.entries))
	if m.hollow == "" || len(m.rest) != len(marks) {
		return marks
	}
	for i := range m.entries {
		if strings.HasPrefix(m.entries[i].path, m.hollow+"/") {
			marks[i] = m.rest[i]
		}
	}
	return marks
}

// Made is what the files are known by that this process has unpacked, as [Manifest.Mark] would find them now; nil where that
// is not known: a manifest that was read, files that got other names, and systems on which files are known by nothing.
func (m *Manifest) Made() stamp.Stamp {
	made := make(stamp.Stamp, len(m.entries))
	for i := range m.entries {
		e := &m.entries[i]
		if e.kind == aHardLink || e.kind == aFile && e.inode == 0 {
			return nil
		}
		made[i] = stamp.At(e.inode, e.changed)
	}
	return made
}

// The kinds of entries, as they are written.
const (
	aFile     = 'f'
	aDir      = 'd'
	aLink     = 'l' // symbolic
	aHardLink = 'h'
)

type entry struct {
	path   string
	target string // of a link; of a hard link, the path of the file
	size   int64
	mtime  int64 // Unix seconds
	crc    uint32
	mode   uint16 // permission bits
	kind   byte

	// What a file is known by that was made this moment.
	inode   uint64
	changed int64
}

func (e *entry) perm() fs.FileMode { return fs.FileMode(e.mode) }

// newManifest sorts entries, and moves their texts into one place.
func newManifest(entries []entry) *Manifest {
	slices.SortFunc(entries, func(a, b entry) int { return comparePaths(a.path, b.path) })
	size := 0
	for i := range entries {
		size += len(entries[i].path) + len(entries[i].target)
	}
	var text strings.Builder
	text.Grow(size)
	keep := func(s *string) {
		start := text.Len()
		text.WriteString(*s)
		*s = text.String()[start:] // never moved, as it was grown to its size
	}
	for i := range entries {
		keep(&entries[i].path)
		keep(&entries[i].target)
	}
	return &Manifest{entries: slices.Clip(entries)}
}

// comparePaths orders clean paths part by part: a slash comes before all that
// may stand in a name.
func comparePaths(a, b string) int {
	for i := range min(len(a), len(b)) {
		x, y := a[i], b[i]
		switch {
		case x == y:
			continue
		case x == '/':
			return -1
		case y == '/':
			return 1
		}
		return cmp.Compare(x, y)
	}
	return cmp.Compare(len(a), len(b))
}

// find returns the entry called name, or nil.
func (m *Manifest) find(name string) *entry {
	i, ok := slices.BinarySearchFunc(m.entries, name, func(e entry, name string) int { return comparePaths(e.path, name) })
	if !ok {
		return nil
	}
	return &m.entries[i]
}

// Tops are the names in the root directory.
func (m *Manifest) Tops() []string {
	var names []string
	for i := range m.entries {
		if !strings.Contains(m.entries[i].path, "/") {
			names = append(names, m.entries[i].path)
		}
	}
	return names
}

// isFile tells whether name is a regular file.
func (m *Manifest) isFile(name string) bool {
	e := m.find(name)
	return e != nil && (e.kind == aFile || e.kind == aHardLink)
}

// folder is a directory of a manifest with what is in it.
type folder struct {
	path string
	kids []int32 // entries, in the order of their names
}

// folders lists the directories, each after the one that it is in; "." is the
// first. Places has for a directory's entry where it is in the list.
func (m *Manifest) folders() (list []folder, places []int32) {
	list, places = []folder{{path: "."}}, make([]int32, len(m.entries))
	parents, kids := make([]int32, len(m.entries)), []int32{0}
	open := []int32{0} // the directories that the last entry is in
	for i := range m.entries {
		e := &m.entries[i]
		for dir := above(e.path); list[open[len(open)-1]].path != dir; {
			open = open[:len(open)-1]
		}
		parents[i] = open[len(open)-1]
		kids[parents[i]]++
		if e.kind == aDir {
			places[i] = int32(len(list) & 0x7fffffff) // there are 200,000 at most
			open = append(open, places[i])
			list, kids = append(list, folder{path: e.path}), append(kids, 0)
		}
	}
	all := make([]int32, len(m.entries))
	for i := range list {
		list[i].kids, all = all[:0:kids[i]], all[kids[i]:]
	}
	for i, parent := range parents {
		list[parent].kids = append(list[parent].kids, int32(i&0x7fffffff))
	}
	return list, places
}

// seconds returns a time as it is set and remembered: whole seconds, as not all
// file systems have more, and nothing that one could not hold.
func seconds(t time.Time) int64 {
	const last = 1<<31 - 1
	if s := t.Unix(); s >= 0 && s <= last {
		return s
	}
	return 0
}
