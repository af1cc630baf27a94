package jobobject

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/windows"
)

// partVariable is set for the processes of these tests: what each is to do.
const partVariable = "JOBOBJECT_TEST_PART"

const (
	patience = 30 * time.Second
	// interrupted is the exit code of a part that has heard an interrupt.
	interrupted = 7
)

func TestMain(m *testing.M) {
	if code, is := Interrupter(os.Args); is {
		os.Exit(code)
	}
	switch os.Getenv(partVariable) {
	case "":
		os.Exit(m.Run())
	case "waits":
		waitForInterrupt()
	case "leaves":
		leaveChild()
	}
}

// waitForInterrupt ends by one alone, or late.
func waitForInterrupt() {
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, os.Interrupt)
	fmt.Println("ready")
	select {
	case <-heard:
		os.Exit(interrupted)
	case <-time.After(patience):
		os.Exit(1)
	}
}

// leaveChild says which child it has started, and ends with the code that it was given.
func leaveChild() {
	child := exec.Command(os.Args[0]) //nolint:noctx // it is to be left
	child.Env = append(os.Environ(), partVariable+"=waits")
	if err := child.Start(); err != nil {
		fmt.Println(err)
		os.Exit(99)
	}
	fmt.Println("child", child.Process.Pid)
	code, err := strconv.Atoi(os.Args[len(os.Args)-1])
	if err != nil {
		code = 98
	}
	os.Exit(code)
}

// begin runs a part of this test, and gives what it says.
func begin(t *testing.T, part string, outlive []int, arguments ...string) (*Life, *bufio.Reader) {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	life, err := Run(Command{
		Argv: append([]string{os.Args[0]}, arguments...), Env: append(os.Environ(), partVariable+"="+part), Dir: t.TempDir(),
		Output: write, Outlive: outlive,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := life.End(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
		if err := read.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := write.Close(); err != nil {
		t.Fatal(err)
	}
	return life, bufio.NewReader(read)
}

// says reads a line.
func says(t *testing.T, out *bufio.Reader, want string) string {
	t.Helper()
	line, err := out.ReadString('\n')
	if err != nil && err != io.EOF || !strings.HasPrefix(line, want) { //nolint:errorlint // readers return it bare
		t.Fatalf("it says %q, %v, want %q", line, err, want)
	}
	return strings.TrimSpace(strings.TrimPrefix(line, want))
}

func await(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		t.Fatalf("%s: not within %s", what, patience)
	}
}

func runs(t *testing.T, pid string) bool {
	t.Helper()
	number, err := strconv.ParseUint(pid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	process, err := windows.OpenProcess(windows.SYNCHRONIZE, false, uint32(number))
	if err != nil {
		return false
	}
	defer windows.CloseHandle(process) //nolint:errcheck // nothing was written to it
	event, err := windows.WaitForSingleObject(process, 0)
	return err == nil && event == uint32(windows.WAIT_TIMEOUT)
}

// Ctrl-C reaches a program with a console of its own, and nobody here.
func TestInterrupt(t *testing.T) {
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, os.Interrupt)
	defer signal.Stop(heard)
	life, out := begin(t, "waits", nil)
	says(t, out, "ready")
	if err := life.Interrupt(); err != nil {
		t.Fatal(err)
	}
	await(t, "the end of what was interrupted", life.Ended())
	if life.Code() != interrupted {
		t.Errorf("it ended with %d", life.Code())
	}
	await(t, "the end of all", life.Gone())
	if err := life.Interrupt(); err != nil {
		t.Errorf("one that has ended: %v", err)
	}
	if len(heard) > 0 {
		t.Error("this process heard it as well")
	}
}

// What a program has left ends with it, unless its exit code says otherwise; then it ends with the life.
func TestLeft(t *testing.T) {
	life, out := begin(t, "leaves", []int{3}, "0")
	child := says(t, out, "child ")
	await(t, "the end of all", life.Gone())
	if life.Code() != 0 || runs(t, child) {
		t.Errorf("code %d, child %s runs: %v", life.Code(), child, runs(t, child))
	}
	life, out = begin(t, "leaves", []int{3}, "3")
	child = says(t, out, "child ")
	await(t, "the end of the program", life.Ended())
	select {
	case <-life.Gone():
		t.Error("what was to outlive the program has ended")
	case <-time.After(3 * lookEach):
	}
	if life.Code() != 3 || !runs(t, child) {
		t.Errorf("code %d, child %s runs: %v", life.Code(), child, runs(t, child))
	}
	for range 2 {
		if err := life.End(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if runs(t, child) {
		t.Error("the child outlives the life")
	}
	await(t, "the end of all", life.Gone())
}

// A program that is not there leaves nothing behind.
func TestAbsentProgram(t *testing.T) {
	_, err := Run(Command{Argv: []string{`C:\none\none.exe`}, Dir: t.TempDir()})
	if err == nil || !os.IsNotExist(err) && !strings.Contains(err.Error(), "none.exe") {
		t.Errorf("error %v", err)
	}
}
