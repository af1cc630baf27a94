//go:build unix

package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

const deafTest = "RUNNER_BOOTSTRAP_TEST_DEAF"

// A signal that comes twice at once is one, and told once; another one after it ends what does not end by itself.
func TestInterruptAgain(t *testing.T) {
	if os.Getenv(deafTest) != "" {
		ctx, stop := interruptible(context.Background(), func() { fmt.Println("told") })
		defer stop()
		fmt.Println("ready")
		<-ctx.Done()
		time.Sleep(sameSignal / 2)
		fmt.Println("alive")
		time.Sleep(20 * time.Second)
		return
	}
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), deafTest+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	expect := func(want string) {
		t.Helper()
		if !lines.Scan() || lines.Text() != want {
			t.Errorf("it said %q, want %q", lines.Text(), want)
		}
	}
	signal := func() {
		t.Helper()
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
	}
	expect("ready")
	signal()
	expect("told")
	time.Sleep(sameSignal / 10)
	signal()
	expect("alive")
	time.Sleep(sameSignal)
	signal()
	if lines.Scan() {
		t.Errorf("it said %q as well", lines.Text())
	}
	if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "signal: terminated") {
		t.Errorf("it ended with %v", err)
	}
}
