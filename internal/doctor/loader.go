package doctor

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

// loader finds libraries as the dynamic loader of the system below root does: first in its cache, then in the folders
// that it always looks into. It does not know what ld.so.conf has beside its cache, as the loader does not either.
type loader struct {
	root string
	architecture
	cache map[string][]string
}

// newLoader reads the cache. Without one, the folders are all there is.
func newLoader(root string) loader {
	m, _ := machineOf(runtime.GOARCH)
	text, err := os.ReadFile(filepath.Join(root, "/etc/ld.so.cache"))
	if err != nil {
		text = nil
	}
	return loader{root: root, architecture: m, cache: cachedLibraries(text)}
}

// find returns where the library called name is; empty if it is nowhere, or of another machine everywhere.
func (l loader) find(name string) string {
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
func (l loader) loadable(path string) bool {
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

// glibc is the version of the C library, as 2.NUMBER; 0 if there is none that can be read.
func (l loader) glibc() int {
	path := l.find("libc.so.6")
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
func (l loader) needed(path string) []string {
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
