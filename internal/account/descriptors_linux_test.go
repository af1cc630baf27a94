package account

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestHideDescriptors(t *testing.T) {
	t.Parallel()
	// As one that a shell opened: not by Go, which hides its own.
	const number = 77
	fd, err := unix.Open(t.TempDir(), unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Dup2(fd, number); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, fd := range []int{fd, number} {
			if err := unix.Close(fd); err != nil {
				t.Error(err)
			}
		}
	})
	open := func() []string {
		out, err := exec.Command("ls", "/proc/self/fd").Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.Fields(string(out))
	}
	if before := open(); !slices.Contains(before, "77") {
		t.Fatalf("a program has %q before", before)
	}
	for range 2 {
		if err := HideDescriptors(); err != nil {
			t.Fatal(err)
		}
		// The last is the folder that ls reads.
		if after := open(); len(after) != 4 {
			t.Errorf("a program has %q, want the standard streams", after)
		}
	}
}
