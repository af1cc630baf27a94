package libraries

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/openfile"
)

// architecture is what the files of a runner of this host are made for.
type architecture struct {
	class elf.Class
	code  elf.Machine
	// start is what loads programs of GNU libc, and triplet the folder of Debian's libraries.
	start, triplet string
}

func machineOf(goarch string) (architecture, bool) {
	switch goarch {
	case "amd64":
		return architecture{elf.ELFCLASS64, elf.EM_X86_64, "/lib64/ld-linux-x86-64.so.2", "x86_64-linux-gnu"}, true
	case "arm64":
		return architecture{elf.ELFCLASS64, elf.EM_AARCH64, "/lib/ld-linux-aarch64.so.1", "aarch64-linux-gnu"}, true
	case "arm":
		return architecture{elf.ELFCLASS32, elf.EM_ARM, "/lib/ld-linux-armhf.so.3", "arm-linux-gnueabihf"}, true
	}
	return architecture{}, false
}

// Loader finds libraries as the dynamic loader of the system below root does: first in its cache, then in the folders
// that it always looks into. It does not know what ld.so.conf has beside its cache, as the loader does not either.
type Loader struct {
	root string
	architecture
	cache map[string][]string
}

// Of reads the cache of the system below root. Without one, the folders are all there is.
func Of(root string) Loader {
	m, _ := machineOf(runtime.GOARCH)
	text, err := os.ReadFile(filepath.Join(root, "/etc/ld.so.cache"))
	if err != nil {
		text = nil
	}
	return Loader{root: root, architecture: m, cache: cachedLibraries(text)}
}

// Find returns where the library called name is; empty if it is nowhere, or of another machine everywhere.
func (l Loader) Find(name string) string {
	for _, path := range l.cache[name] {
		if full := filepath.Join(l.root, path); l.loadable(full) {
			return full
		}
	}
	for _, dir := range []string{"/lib/" + l.triplet, "/usr/lib/" + l.triplet, "/lib64", "/usr/lib64", "/lib", "/usr/lib"} {
		if full := filepath.Join(l.root, dir, name); l.loadable(full) {
			return full
		}
	}
	return ""
}

// loadable tells whether a file is of this machine: hosts have libraries of other ones beside.
func (l Loader) loadable(path string) bool {
	file, err := openfile.Open(path)
	if err != nil {
		return false
	}
	defer file.Close()
	const head = 20 // up to the machine, in both classes
	var begin [head]byte
	if _, err := io.ReadFull(file, begin[:]); err != nil {
		return false
	}
	return string(begin[:4]) == elf.ELFMAG && elf.Class(begin[elf.EI_CLASS]) == l.class &&
		elf.Machine(binary.LittleEndian.Uint16(begin[18:])) == l.code
}

// maxTables is many times what a library has of sections and names.
const maxTables = 32 << 20

// budget reads so many bytes of a file and no more: tables that claim to have a gigabyte would
// be read whole.
type budget struct {
	file io.ReaderAt
	left int
}

func (b *budget) ReadAt(p []byte, off int64) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, errors.New("it has too large tables")
	}
	return b.file.ReadAt(p, off)
}

// openELF opens a plain file.
func openELF(path string) (file *elf.File, done func(), err error) {
	plain, err := openfile.Open(path)
	if err != nil {
		return nil, nil, err
	}
	done = func() { _ = plain.Close() } // it was only read
	if file, err = elf.NewFile(&budget{file: plain, left: maxTables}); err != nil {
		done()
		return nil, nil, err
	}
	return file, done, nil
}

// Glibc is the version of the C library, as 2.NUMBER; 0 if there is none that can be read.
func (l Loader) Glibc() int {
	path := l.Find("libc.so.6")
	if path == "" {
		return 0
	}
	file, done, err := openELF(path)
	if err != nil {
		return 0
	}
	defer done()
	versions, err := file.DynamicVersions()
	if err != nil {
		return 0
	}
	newest := 0
	for _, v := range versions {
		minor, found := strings.CutPrefix(v.Name, "GLIBC_2.")
		minor, _, _ = strings.Cut(minor, ".")
		if number, err := strconv.Atoi(minor); found && err == nil {
			newest = max(newest, number)
		}
	}
	return newest
}

// needed lists the libraries that an ELF file of this machine asks the loader for; nothing of what is no such file.
func (l Loader) needed(path string) []string {
	if !l.loadable(path) {
		return nil
	}
	file, done, err := openELF(path)
	if err != nil {
		return nil
	}
	defer done()
	names, err := file.ImportedLibraries()
	if err != nil {
		return nil
	}
	return names
}

// Start is the program that loads those of GNU libc.
func (l Loader) Start() string { return l.start }

// Musl are the loaders of musl, another C library, which the system has.
func (l Loader) Musl() []string {
	found, err := filepath.Glob(filepath.Join(l.root, "/lib/ld-musl-*.so.1"))
	if err != nil {
		return nil
	}
	return found
}

// Foreign tells which other programs the system is made of, where it lacks the loader of ours: this program needs none, so
// that it runs there as well. It is empty where the system is ours.
func (l Loader) Foreign() string {
	if l.start == "" || exists(l.root, l.start) || len(l.Musl()) > 0 {
		return ""
	}
	for _, small := range []string{"/lib/ld-linux-armhf.so.3", "/lib/ld-linux.so.3", "/lib/ld-linux.so.2"} {
		if small != l.start && exists(l.root, small) {
			return "32 (" + small + ")"
		}
	}
	return ""
}
