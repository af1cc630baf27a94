package libraries

import (
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A job may put anything into the folder whose libraries are looked at.
func TestLibrariesOfAHostileTree(t *testing.T) {
	t.Parallel()
	tree := t.TempDir()
	bin := filepath.Join(tree, "bin")
	pipe := filepath.Join(tree, "pipe")
	for _, err := range []error{
		os.Mkdir(bin, 0o700), unix.Mkfifo(pipe, 0o600), unix.Mkfifo(filepath.Join(bin, "x.so"), 0o600),
		os.Symlink(pipe, filepath.Join(bin, "y.so")), os.Symlink("/dev/tty", filepath.Join(bin, "z.so")),
		os.Mkdir(filepath.Join(bin, "folder.so"), 0o700), os.WriteFile(filepath.Join(bin, "large.so"), greedy(t), 0o600),
		os.Truncate(filepath.Join(bin, "large.so"), 2<<30),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan struct{})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	go func() {
		defer close(done)
		if names := Of("/").needed(filepath.Join(bin, "large.so")); names != nil {
			t.Errorf("of a file that wants gigabytes: %q", names)
		}
		_ = Of("/").check(tree, true) // what this host lacks is not asked here
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("a pipe is waited for")
	}
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 200<<20 {
		t.Errorf("it takes %d MiB", took>>20)
	}
}

// greedy is the head of a library of this host whose table of names has a gigabyte.
func greedy(t *testing.T) []byte {
	t.Helper()
	m := Of("/").architecture
	if m.class != elf.ELFCLASS64 {
		t.Skip("no runner for this machine, or one of 32 bits")
	}
	const head, section = 64, 64
	file := make([]byte, head+3*section)
	copy(file, elf.ELFMAG)
	file[elf.EI_CLASS], file[elf.EI_DATA], file[elf.EI_VERSION] = byte(m.class), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)
	order := binary.LittleEndian
	order.PutUint16(file[16:], uint16(elf.ET_DYN))
	order.PutUint16(file[18:], uint16(m.code))
	order.PutUint32(file[20:], uint32(elf.EV_CURRENT))
	order.PutUint64(file[40:], head) // where the sections are
	order.PutUint16(file[58:], section)
	order.PutUint16(file[60:], 3)
	order.PutUint16(file[62:], 1) // the names of sections are in section 1
	put := func(n int, kind elf.SectionType, offset, size uint64, link uint32) {
		s := file[head+n*section:]
		order.PutUint32(s[4:], uint32(kind))
		order.PutUint64(s[24:], offset)
		order.PutUint64(s[32:], size)
		order.PutUint32(s[40:], link)
	}
	put(1, elf.SHT_STRTAB, 0, 1<<30, 0)
	put(2, elf.SHT_DYNAMIC, head, 1<<30, 1)
	return file
}
