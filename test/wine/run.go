//go:build e2e && linux

package wine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Command is a program to run.
type Command struct {
	Program string // a path of Windows, or a name that Windows finds
	Args    []string
	Dir     string   // the folder to run in, a path of Windows; C:\ if empty
	Env     []string // KEY=VALUE, beside what Windows gives
	Input   string
}

// Result is how a program ended.
type Result struct {
	Stdout, Stderr string
	Code           int // of Windows' exit code the last eight bits, 36 for 1060; -1 if it was killed
}

// String is for failure messages.
func (r Result) String() string {
	return fmt.Sprintf("exit code %d\nstdout: %s\nstderr: %s", r.Code, r.Stdout, r.Stderr)
}

// Run runs a program with arguments, and returns when it has ended; see [Machine.Do].
func (m *Machine) Run(ctx context.Context, program string, args ...string) Result {
	m.t.Helper()
	return m.Do(ctx, Command{Program: program, Args: args})
}

// Do runs a program, and returns when it has ended, whatever it has started and left. The end of ctx ends the program, and
// fails the test, as does a program that cannot be run. Without an end in ctx that is after three minutes.
func (m *Machine) Do(ctx context.Context, c Command) Result {
	m.t.Helper()
	result, err := m.linux(ctx, c, append([]string{loader, c.Program}, c.Args...)...)
	if err != nil {
		m.t.Fatalf("running %q %q under Wine: %v\n%s", c.Program, c.Args, err, result)
	}
	return result
}

// Must is Run for a program that has to succeed; it returns its standard output without blanks at the ends.
func (m *Machine) Must(program string, args ...string) string {
	m.t.Helper()
	result := m.Run(m.t.Context(), program, args...)
	if result.Code != 0 {
		m.t.Fatalf("running %q %q under Wine: %s", program, args, result)
	}
	return strings.TrimSpace(result.Stdout)
}

// Running is a program that was started and not waited for.
type Running struct {
	cmd         *exec.Cmd
	cancel      context.CancelFunc
	out, errs   string // files
	ended       chan struct{}
	ctx         context.Context //nolint:containedctx // it says why the program was ended
	description string
	err         error
}

// Start starts a program, which is ended with the test at the latest.
func (m *Machine) Start(program string, args ...string) *Running {
	m.t.Helper()
	return m.Begin(Command{Program: program, Args: args})
}

// Begin is [Machine.Start] with all that a program can be given.
func (m *Machine) Begin(c Command) *Running {
	m.t.Helper()
	r, err := m.start(context.Background(), c, append([]string{loader, c.Program}, c.Args...)...)
	if err != nil {
		m.t.Fatalf("starting %q %q under Wine: %v", c.Program, c.Args, err)
	}
	m.t.Cleanup(func() {
		r.cancel()
		<-r.ended
	})
	return r
}

// Ended is closed when the program has ended.
func (r *Running) Ended() <-chan struct{} { return r.ended }

// Said is what the program has written so far, with the code -1 while it runs.
func (r *Running) Said() Result {
	result := Result{Code: -1}
	select {
	case <-r.ended:
		result.Code = r.cmd.ProcessState.ExitCode()
	default:
	}
	result.Stdout, result.Stderr = read(r.out), read(r.errs)
	return result
}

// read returns what a file of a program's output holds; carriage returns are left out.
func read(name string) string {
	text, err := os.ReadFile(name)
	if err != nil {
		return "(reading it failed: " + err.Error() + ")"
	}
	return strings.ReplaceAll(string(text), "\r\n", "\n")
}

// Kill ends the program as TerminateProcess does, and returns when it has ended. What it started goes on.
func (r *Running) Kill() {
	r.cancel()
	<-r.ended
}

// linux runs a program of the machine's Linux to its end.
func (m *Machine) linux(ctx context.Context, c Command, argv ...string) (Result, error) {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, runTimeout)
		defer cancel()
	}
	r, err := m.start(ctx, c, argv...)
	if err != nil {
		return Result{Code: -1}, err
	}
	<-r.ended
	r.cancel()
	return r.Said(), r.err
}

// inMachine is a shell's program: it becomes the command behind a folder and the words of an environment, which "--" ends.
const inMachine = `cd "$1" && shift && exec env -i "$@"`

// wineEnvironment is what Wine is given. Without a language it takes no letters but those of English in names of files.
func wineEnvironment() []string {
	return []string{
		"LANG=C.UTF-8", "HOME=/root", "PATH=/usr/bin:/bin:/usr/sbin:/sbin", "WINEPREFIX=" + prefix, "WINEDEBUG=-all",
		"WINEDLLOVERRIDES=mscoree,mshtml=", "XDG_RUNTIME_DIR=/tmp",
	}
}

// start starts a program of the machine's Linux, with the environment that Wine needs. What it says goes to files: Wine's own
// processes, which it may be the first to need, keep its outputs open when it has ended.
func (m *Machine) start(ctx context.Context, c Command, argv ...string) (*Running, error) {
	dir := prefix + "/drive_c"
	if c.Dir != "" {
		var err error
		if dir, err = m.inTree(c.Dir); err != nil {
			return nil, err
		}
	}
	words := []string{"--target", strconv.Itoa(m.first), "--mount", "--pid", "--root", "--wd", "--", "sh", "-c", inMachine, "sh", dir}
	words = slices.Concat(words, wineEnvironment(), c.Env, argv)
	ctx, cancel := context.WithCancel(ctx)
	r := &Running{ctx: ctx, cancel: cancel, ended: make(chan struct{}), description: strings.Join(argv, " ")}
	r.cmd = exec.CommandContext(ctx, "nsenter", words...)
	// nsenter waits for the program, which does not end with it: the two make a group that does.
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	r.cmd.Cancel = func() error { return syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL) }
	if err := r.open(m.logs, c.Input); err != nil {
		cancel()
		return nil, err
	}
	if err := r.cmd.Start(); err != nil {
		cancel()
		return nil, errors.Join(err, r.close())
	}
	go r.wait()
	return r, nil
}

// open makes the files that the program reads and writes.
func (r *Running) open(folder, input string) error {
	in, err := os.CreateTemp(folder, "in-*")
	if err == nil {
		_, err = in.WriteString(input)
	}
	if err == nil {
		_, err = in.Seek(0, 0)
	}
	if err != nil {
		return err
	}
	out, err := os.CreateTemp(folder, time.Now().Format("150405.000")+"-*.out")
	if err != nil {
		return errors.Join(err, in.Close())
	}
	errs, err := os.Create(strings.TrimSuffix(out.Name(), ".out") + ".err")
	if err != nil {
		return errors.Join(err, in.Close(), out.Close())
	}
	r.cmd.Stdin, r.cmd.Stdout, r.cmd.Stderr = in, out, errs
	r.out, r.errs = out.Name(), errs.Name()
	// For the person who reads it after a failure.
	return os.WriteFile(strings.TrimSuffix(out.Name(), ".out")+".cmd", []byte(r.description+"\n"), 0o600)
}

func (r *Running) close() error {
	var failed error
	for _, file := range []any{r.cmd.Stdin, r.cmd.Stdout, r.cmd.Stderr} {
		failed = errors.Join(failed, file.(*os.File).Close())
	}
	return failed
}

func (r *Running) wait() {
	err := r.cmd.Wait()
	var exit *exec.ExitError
	switch {
	case r.ctx.Err() != nil:
		r.err = r.ctx.Err()
	case err != nil && !errors.As(err, &exit):
		r.err = err
	}
	r.err = errors.Join(r.err, r.close())
	close(r.ended)
}
