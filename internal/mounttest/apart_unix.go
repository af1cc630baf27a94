//go:build unix

package mounttest

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// inside is the variable that names the test which such a process is for.
const inside = "MOUNTTEST_INSIDE"

// Apart tells whether this is the process that was started for this test alone. In every other one it starts that, as prepare has
// it (nil: as it is), beside the tests that are parallel; it takes its outcome over, and the test is to return.
func Apart(t *testing.T, prepare func(*exec.Cmd)) bool {
	t.Helper()
	if os.Getenv(inside) == t.Name() { //nolint:forbidigo // this is no part of the program
		return true
	}
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v") //nolint:gosec,forbidigo // it is this test
	cmd.Env = append(os.Environ(), inside+"="+t.Name())                                        //nolint:forbidigo // see above
	if prepare != nil {
		prepare(cmd)
	}
	switch out, err := cmd.CombinedOutput(); {
	case errors.Is(err, syscall.EPERM):
		t.Skip(err) // root of a container, who may not
	case err == nil && strings.Contains(string(out), "--- SKIP"):
		t.Skipf("%s", out)
	case err != nil || !strings.Contains(string(out), "--- PASS"):
		t.Fatalf("%v\n%s", err, out)
	}
	return false
}
