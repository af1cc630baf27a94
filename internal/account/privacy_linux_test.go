package account

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

// hideRole makes a copy of the test program hide its memory, and wait for the end of its input.
const hideRole = "ACCOUNT_TEST_HIDE"

func TestMain(m *testing.M) {
	if os.Getenv(hideRole) == "" {
		os.Exit(m.Run())
	}
	if err := HideMemory("SECRET_A", "SECRET_B"); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	// What this process looks at of itself, and of what it has open.
	_, fdErr := os.ReadDir("/proc/self/fd")
	_, nsErr := os.Readlink("/proc/self/ns/pid")
	fmt.Printf("dumpable %d %v, A=%s, B=%s, fd %v, ns %v\n", dumpable, err, os.Getenv("SECRET_A"), os.Getenv("SECRET_B"), fdErr, nsErr)
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		os.Exit(1)
	}
}

func TestHideMemory(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = []string{"PLAIN=1", "SECRET_A=ghp_first", "XSECRET_A=stays", hideRole + "=1", "SECRET_B="}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if want := "dumpable 0 <nil>, A=ghp_first, B=, fd <nil>, ns <nil>\n"; err != nil || line != want {
		t.Errorf("it says %q, %v, want %q", line, err, want)
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", cmd.Process.Pid))
	switch {
	case os.Getuid() != 0 && !os.IsPermission(err):
		t.Errorf("another process of the account reads %q, %v", text, err)
	case os.Getuid() == 0 && (err != nil || bytes.Contains(text, []byte("ghp_first")) || !bytes.Contains(text, []byte("XSECRET_A=stays\x00"))):
		t.Errorf("the environment is %q, %v", text, err)
	}
	if err := in.Close(); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}
