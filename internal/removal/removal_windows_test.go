package removal_test

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"golang.org/x/sys/windows"

	"github.com/runner-bootstrap/runner-bootstrap/internal/inuse"
	"github.com/runner-bootstrap/runner-bootstrap/internal/removal"
)

func wide(t *testing.T, path string) *uint16 {
	t.Helper()
	name, err := windows.UTF16PtrFromString(path)
	check(t, err)
	return name
}

// hold opens a file as another program does that lets nobody remove it.
func hold(t *testing.T, path string) (letGo func()) {
	t.Helper()
	handle, err := windows.CreateFile(wide(t, path), windows.GENERIC_READ, windows.FILE_SHARE_READ, nil, windows.OPEN_EXISTING, 0, 0)
	check(t, err)
	return func() { check(t, windows.CloseHandle(handle)) }
}

func TestHeldForASecond(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	plant(t, dir, "tree/a/held", "tree/a/b", "tree/c")
	letGo := hold(t, filepath.Join(dir, "tree/a/held"))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		<-time.After(time.Second)
		letGo()
	}()
	check(t, removal.Path(filepath.Join(dir, "tree")))
	<-ended
	expect(t, dir, nil, []string{"tree"})
}

// What a program never lets go of is named, with the reason; everything around it is removed.
func TestHeldForEver(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	plant(t, dir, "tree/a/held", "tree/a/b", "tree/c/d", "tree/e")
	letGo := hold(t, filepath.Join(dir, "tree/a/held"))
	began := time.Now()
	err := removal.Path(filepath.Join(dir, "tree"))
	if waited := time.Since(began); waited > 20*time.Second {
		t.Errorf("it took %s", waited)
	}
	if !errors.Is(err, inuse.ErrOpen) || !strings.Contains(err.Error(), `held": another program has it open`) {
		t.Errorf("it says %v", err)
	}
	if err != nil && strings.Contains(err.Error(), "\n") {
		t.Errorf("the folders around it are told as well: %v", err)
	}
	expect(t, dir, []string{"tree/a/held"}, []string{"tree/a/b", "tree/c", "tree/e"})
	letGo()
	check(t, removal.Path(filepath.Join(dir, "tree")))
	expect(t, dir, nil, []string{"tree"})
}

// git marks its objects read-only.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	plant(t, dir, "tree/objects/12/34", "tree/objects/56/78")
	for _, name := range []string{"tree/objects/12/34", "tree/objects/56/78", "tree/objects/56"} {
		check(t, windows.SetFileAttributes(wide(t, filepath.Join(dir, name)),
			windows.FILE_ATTRIBUTE_READONLY|windows.FILE_ATTRIBUTE_HIDDEN|windows.FILE_ATTRIBUTE_SYSTEM))
	}
	check(t, removal.Path(filepath.Join(dir, "tree")))
	expect(t, dir, nil, []string{"tree"})
}

// Names that the usual functions of Windows cannot reach, or that look special.
func TestNamesThatWindowsDoesNotLike(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"nul", "con.txt", "ends with a dot.", "ends with a dot...", "ends with a blank ", " begins with one", "😀", "%PATH%", "a&b", "~1", strings.Repeat("ö 置x", 30),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for _, above := range []string{`\\?\` + dir + `\tree`, `\\?\` + dir + `\tree\` + name} {
				check(t, os.Mkdir(above, 0o755))
				check(t, os.WriteFile(above+`\file`, nil, 0o600))
			}
			check(t, os.WriteFile(`\\?\`+dir+`\tree\`+name+`\`+name, nil, 0o600))
			check(t, removal.Path(filepath.Join(dir, "tree")))
			expect(t, dir, nil, []string{"tree"})
		})
	}
}

// Paths of which Windows takes the whole at once only on request.
func TestLongPaths(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	long := "tree"
	plant(t, dir, "tree/")
	for range 12 {
		long = filepath.Join(long, strings.Repeat("ö 置 ", 10)+"x")
		check(t, os.Mkdir(`\\?\`+filepath.Join(dir, long), 0o755))
		check(t, os.WriteFile(`\\?\`+filepath.Join(dir, long, "file"), nil, 0o600))
	}
	check(t, removal.Path(filepath.Join(dir, "tree")))
	expect(t, dir, nil, []string{"tree"})
}

// junction makes a link to a folder, of the kind that everybody may make.
func junction(t *testing.T, path, target string) {
	t.Helper()
	check(t, os.Mkdir(path, 0o755))
	handle, err := windows.CreateFile(wide(t, path), windows.GENERIC_WRITE, 0, nil, windows.OPEN_EXISTING,
		windows.FILE_FLAG_OPEN_REPARSE_POINT|windows.FILE_FLAG_BACKUP_SEMANTICS, 0)
	check(t, err)
	defer windows.CloseHandle(handle) //nolint:errcheck // a test that fails for it fails elsewhere
	substitute, shown := utf16.Encode([]rune(`\??\`+target)), utf16.Encode([]rune(target))
	const headerSize, namesSize = 8, 8
	paths := make([]byte, 0, 1024)
	for _, name := range [][]uint16{substitute, {0}, shown, {0}} {
		for _, unit := range name {
			paths = binary.LittleEndian.AppendUint16(paths, unit)
		}
	}
	length := func(units []uint16) uint16 { return uint16(2 * len(units)) } //nolint:gosec // a path
	data := binary.LittleEndian.AppendUint32(nil, windows.IO_REPARSE_TAG_MOUNT_POINT)
	for _, field := range []uint16{
		uint16(namesSize + len(paths)), 0, //nolint:gosec // a path
		0, length(substitute), length(substitute) + 2, length(shown),
	} {
		data = binary.LittleEndian.AppendUint16(data, field)
	}
	data = append(data, paths...)
	var returned uint32
	err = windows.DeviceIoControl(handle, windows.FSCTL_SET_REPARSE_POINT, &data[0], uint32(len(data)), nil, 0, &returned, nil)
	if errors.Is(err, windows.ERROR_INVALID_FUNCTION) || errors.Is(err, windows.ERROR_NOT_SUPPORTED) || errors.Is(err, windows.ERROR_CALL_NOT_IMPLEMENTED) {
		t.Skip("this system makes no junctions")
	}
	check(t, err)
}

// A junction leads out of a tree as a symbolic link does, and is removed as one.
func TestJunction(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	plant(t, dir, "tree/a/b", "outside/precious", "outside/below/precious")
	junction(t, filepath.Join(dir, "tree", "a", "link"), filepath.Join(dir, "outside"))
	junction(t, filepath.Join(dir, "link"), filepath.Join(dir, "outside"))
	junction(t, filepath.Join(dir, "tree", "dangling"), filepath.Join(dir, "missing"))
	var freed removal.Freed
	if gone, err := removal.Counted(t.Context(), opened(t, dir), "tree", "", &freed); !gone || err != nil || freed.Files != 3 {
		t.Errorf("gone %v, %v, freed %+v", gone, err, freed)
	}
	check(t, removal.Path(filepath.Join(dir, "link")))
	expect(t, dir, []string{"outside/precious", "outside/below/precious"}, []string{"tree", "link"})
}
