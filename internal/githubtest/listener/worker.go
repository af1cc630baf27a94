package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

const graceOfCanceled = 500 * time.Millisecond

// work runs the one job that stands on stdin, and ends with its result.
func (p *program) work() int {
	in := bufio.NewReader(p.in)
	line, err := in.ReadBytes('\n')
	if err != nil {
		p.complain("reading the job: %s", err)
		return workerFailed
	}
	var a assignment
	if err := json.Unmarshal(line, &a); err != nil {
		p.complain("reading the job: %s", err)
		return workerFailed
	}
	p.testify("worker", a.Server)
	canceled := make(chan struct{})
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		defer close(canceled)
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			// The end of stdin is the order to cancel, however it comes about.
			_, _ = io.Copy(io.Discard, in)
		}()
		select {
		case <-signals:
		case <-gone:
		}
	}()
	code, err := p.steps(a, canceled)
	if err != nil {
		p.complain("%s", err)
	}
	p.logWorker(a, code)
	return code
}

// steps runs the hooks and the script, each only if the one before went well; the last hook always.
func (p *program) steps(a assignment, canceled <-chan struct{}) (int, error) {
	_, repo := path.Split(a.Repository)
	dir := filepath.Join(a.Work, repo)
	temp := filepath.Join(a.Work, "_temp")
	for _, d := range []string{dir, temp, filepath.Join(a.Work, "_tool")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return workerFailed, fmt.Errorf("making the work folder: %w", err)
		}
	}
	env := inherited(map[string]string{
		"CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_JOB": a.Name, "GITHUB_REPOSITORY": a.Repository,
		"GITHUB_WORKSPACE": dir, "RUNNER_NAME": a.Runner, "RUNNER_OS": systemLabel(), "RUNNER_ARCH": archLabel(),
		"RUNNER_TEMP": temp, "RUNNER_TOOL_CACHE": filepath.Join(a.Work, "_tool"), "RUNNER_WORKSPACE": dir,
	})
	if a.Container {
		if err := outsideContainer(); err != nil {
			return workerFailed, err
		}
	}
	code := workerSucceeded
	for _, script := range []string{hook("STARTED"), a.Script} {
		if code == workerSucceeded && script != "" {
			code = p.shell(script, dir, env, canceled)
		}
	}
	if last := hook("COMPLETED"); last != "" {
		if ended := p.shell(last, dir, env, canceled); code == workerSucceeded {
			code = ended
		}
	}
	return code, nil
}

// outsideContainer is what a job with containers asks first (actions/runner, ContainerOperationProvider): a runner that
// runs in a container itself could not name its folders to the engine, and the first process's control groups tell.
func outsideContainer() error {
	groups, err := os.ReadFile("/proc/1/cgroup")
	if errors.Is(err, fs.ErrNotExist) {
		return said("Could not find file '/proc/1/cgroup'.")
	}
	if err != nil {
		return saidf("Access to the path '/proc/1/cgroup' is denied. (%s)", err)
	}
	if strings.Contains(string(groups), ":/docker/") {
		return said("Container feature is not supported when runner is already running inside container.")
	}
	return nil
}

func hook(when string) string {
	file := os.Getenv("ACTIONS_RUNNER_HOOK_JOB_" + when)
	if file == "" || runtime.GOOS == "windows" {
		return file
	}
	return "exec sh '" + file + "'"
}

// shell runs a script and everything it starts, and ends all of it when canceled.
func (p *program) shell(script, dir string, env []string, canceled <-chan struct{}) int {
	cmd := exec.Command("sh", "-c", script)
	if runtime.GOOS == "windows" {
		cmd = exec.Command("cmd", "/C", script)
	}
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, env, os.Stdout, os.Stderr
	ownGroup(cmd)
	if err := cmd.Start(); err != nil {
		p.complain("starting the script: %s", err)
		return workerFailed
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		// How it ended is read from its state.
		_ = cmd.Wait()
	}()
	select {
	case <-ended:
		if code := cmd.ProcessState.ExitCode(); code != 0 {
			p.complain("##[error]Process completed with exit code %d.", code)
			return workerFailed
		}
		return workerSucceeded
	case <-canceled:
	}
	endGroup(cmd, false)
	select {
	case <-ended:
	case <-time.After(graceOfCanceled):
		endGroup(cmd, true)
		<-ended
	}
	p.complain("##[error]The operation was canceled.")
	return workerCanceled
}

func (p *program) logWorker(a assignment, code int) {
	name := "Worker_" + time.Now().UTC().Format("20060102-150405") + "-utc.log"
	text := fmt.Sprintf("[%s INFO Worker] Job %s ended with return code %d\n", stamp(), a.Name, code)
	if err := os.WriteFile(p.path(filepath.Join("_diag", name)), []byte(text), 0o644); err != nil {
		p.complain("writing the log: %s", err)
	}
}
