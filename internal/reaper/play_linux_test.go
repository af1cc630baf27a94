package reaper

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What this package does concerns a whole process and its children, so much of
// it is done by a process of its own: the test binary, told by one of these
// variables to be something else or to run a single test.
const (
	aloneTest = "PROCESS_TEST_ALONE"
	playPart  = "PROCESS_TEST_PLAY"
)

const patience = 20 * time.Second

// swift spares these processes the second that the race detector takes to exit.
const swift = "GORACE=atexit_sleep_ms=0"

func TestMain(m *testing.M) {
	if part := os.Getenv(playPart); part != "" {
		os.Exit(play(part))
	}
	os.Exit(m.Run())
}

// request is what a played process is asked to do, reply how it went.
type request struct {
	Do     string
	Root   string
	UID    int
	Group  Process
	Grace  time.Duration
	Cancel time.Duration // when the context ends, 0 for never
	Keeper string
}

type reply struct {
	Found       []Process
	Strays      []Stray
	Ended       int
	Err         string
	Left        bool
	Canceled    bool
	Unsupported bool
	Took        time.Duration
}

func play(part string) int {
	var r request
	if err := json.Unmarshal([]byte(part), &r); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if r.Cancel > 0 {
		defer time.AfterFunc(r.Cancel, cancel).Stop()
	}
	var answer reply
	var err error
	began := time.Now()
	switch r.Do {
	case "sit":
		fmt.Println("ready")
		io.Copy(io.Discard, os.Stdin)
		return 0
	case "headless":
		return headless()
	case "tree":
		answer.Found = inTree(r.Root, r.UID)
	case "strays":
		answer.Strays, err = Strays(r.UID, r.Keeper, "no-unit")
	case "orphans":
		answer.Ended, err = EndOrphans(ctx, r.Root, r.UID, r.Group, r.Grace)
	case "descendants":
		answer.Ended, err = EndDescendants(ctx, r.Grace)
	}
	answer.Took = time.Since(began)
	if err != nil {
		answer.Err = err.Error()
		answer.Left, answer.Canceled = errors.Is(err, errLeft), errors.Is(err, context.Canceled)
		answer.Unsupported = errors.Is(err, errors.ErrUnsupported)
	}
	json.NewEncoder(os.Stdout).Encode(answer)
	return 0
}

// headless ends the first thread of this process and leaves the others.
func headless() int {
	go func() {
		// A read holds its thread, which must not be the first.
		for e, err := stat(os.Getpid()); err == nil && e.state != 'Z'; e, err = stat(os.Getpid()) {
			time.Sleep(time.Millisecond)
		}
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	// Each that does not meet the first thread keeps another one busy.
	end := func() {
		runtime.LockOSThread()
		if unix.Gettid() == os.Getpid() {
			syscall.Syscall(unix.SYS_EXIT, 0, 0, 0)
		}
		select {}
	}
	for range 100 {
		go end()
	}
	end()
	return 1
}

// ask has another process do what r says. Change, if any, prepares its start.
func ask(t *testing.T, r request, change func(*exec.Cmd)) reply {
	t.Helper()
	cmd := again(t, r)
	if change != nil {
		change(cmd)
	}
	text, err := cmd.Output()
	if err != nil {
		t.Fatalf("the process that does %q: %v", r.Do, err)
	}
	var answer reply
	if err := json.Unmarshal(text, &answer); err != nil {
		t.Fatalf("the process that does %q said %q: %v", r.Do, text, err)
	}
	return answer
}

// again is the test binary once more, to play a part.
func again(t *testing.T, r request) *exec.Cmd {
	t.Helper()
	part, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, testBinary(t))
	cmd.Env = append(os.Environ(), swift, playPart+"="+string(part))
	cmd.Stderr = os.Stderr
	return cmd
}

func testBinary(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return self
}

// alone runs body in a process that has no other children than body's.
func alone(t *testing.T, body func(t *testing.T), environment ...string) {
	t.Helper()
	if os.Getenv(aloneTest) == t.Name() {
		body(t)
		return
	}
	if os.Getenv(aloneTest) == "" && len(environment) == 0 {
		t.Parallel()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, testBinary(t), "-test.run=^"+t.Name()+"$", "-test.v", "-test.count=1")
	cmd.Env = append(append(os.Environ(), swift, aloneTest+"="+t.Name()), environment...)
	text, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(text), "--- PASS: "+t.Name()) {
		t.Errorf("alone: %v\n%s", err, text)
	}
}

// program is a shell script to start. Its standard input, which it has as
// descriptor 3 too for what it starts, ends with the test; all wait for that.
type program struct {
	name   string // argv[0], "sh" when empty
	script string // says a line once it is ready
	change func(*syscall.SysProcAttr)
}

type started struct {
	Process
	cmd  *exec.Cmd
	line string // what it said first
}

const waits = "echo ready; read x"

func start(t *testing.T, p program) *started {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", "exec 3<&0; "+p.script)
	if p.name != "" {
		cmd.Args[0] = p.name
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if p.change != nil {
		p.change(cmd.SysProcAttr)
	}
	return run(t, cmd)
}

// run starts cmd, waits for its first line, and ends it with the test.
func run(t *testing.T, cmd *exec.Cmd) *started {
	t.Helper()
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		input.Close()
		cmd.Process.Kill()
		cmd.Wait() // one that was waited for before, or reaped by what is tested, says so
	})
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		t.Fatalf("%q did not say that it is ready: %v", cmd.Args, err)
	}
	p, err := Look(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return &started{Process: p, cmd: cmd, line: strings.TrimSpace(line)}
}

// end kills a started program and takes its status, so that its number is free.
func (s *started) end(t *testing.T) {
	t.Helper()
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	s.cmd.Wait()
}

// become waits until a condition holds.
func become(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after %v it is still not so that %s", patience, what)
		}
	}
}

// zombie waits until a child has ended, and leaves its status.
func zombie(t *testing.T, pid int) {
	t.Helper()
	become(t, fmt.Sprintf("process %d is a zombie", pid), func() bool {
		e, err := stat(pid)
		return err == nil && e.dead()
	})
}

// inTree is what EndOrphans would end, of a runner whose listener is not known.
func inTree(root string, uid int) []Process {
	found, err := orphans{root: root, uid: uid}.find()
	if err != nil {
		return nil
	}
	return found
}
