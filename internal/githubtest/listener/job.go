package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"
)

// Exit codes of the worker: a result plus a hundred, as in actions/runner source, TaskResultUtil.cs.
const (
	workerSucceeded = 100
	workerFailed    = 102
	workerCanceled  = 103

	killAfter = 5 * time.Second
)

// job is one job on its way. name and result may be read once done is closed.
type job struct {
	name   string
	result string
	done   chan struct{}
	cancel func()
}

// assignment is what the listener tells its worker, as one line of JSON.
type assignment struct {
	ID         string `json:"jobId"`
	Name       string `json:"jobDisplayName"`
	Script     string `json:"script"`
	Repository string `json:"repository"`
	Token      string `json:"token"`
	Container  bool   `json:"container"`
	Work       string `json:"work"`
	Runner     string `json:"runner"`
	Server     string `json:"server"`
}

// startJob takes a job and runs it in a worker. It never blocks.
func (l *listener) startJob(requestID, service string) *job {
	ctx, cancel := context.WithCancel(context.Background())
	j := &job{name: requestID, result: "Failed", done: make(chan struct{}), cancel: cancel}
	go func() {
		defer close(j.done)
		defer cancel()
		if err := l.doJob(ctx, j, requestID, service); err != nil {
			l.complain("%s: %s", stamp(), err)
		}
	}()
	return j
}

func (l *listener) doJob(ctx context.Context, j *job, requestID, service string) error {
	post := func(at string, in, out any) error {
		_, err := l.server.ask(context.Background(), request{method: http.MethodPost, url: at, in: in, out: out})
		return err
	}
	if err := post(l.server.broker("acknowledge"), map[string]string{"runnerRequestId": requestID}, nil); err != nil {
		return fmt.Errorf("acknowledging job %q: %w", requestID, err)
	}
	var a assignment
	in := map[string]string{"jobMessageId": requestID, "runnerOS": systemLabel(), "billingOwnerId": "O_1"}
	if err := post(service+"/acquirejob", in, &a); err != nil {
		return fmt.Errorf("acquiring job %q: %w", requestID, err)
	}
	j.name = a.Name
	ids := map[string]any{"planId": a.ID, "jobId": a.ID}
	if err := post(service+"/renewjob", ids, nil); err != nil {
		return fmt.Errorf("renewing job %q: %w", a.Name, err)
	}
	l.note("%s: Running job: %s", stamp(), a.Name)
	a.Work, a.Runner, a.Server = l.workFolder(), string(l.settings.AgentName), string(l.settings.ServerURLV2)
	code, output, err := workerFailed, "", l.validateWork()
	if err == nil {
		code, output, err = l.spawnWorker(ctx, a)
	}
	if err != nil {
		output += "\n" + err.Error()
	}
	conclusion := "failed"
	switch code {
	case workerSucceeded:
		conclusion = "succeeded"
	case workerCanceled:
		conclusion = "canceled"
	}
	j.result = strings.ToUpper(conclusion[:1]) + conclusion[1:]
	ids["conclusion"], ids["output"] = conclusion, output
	if err := post(service+"/completejob", ids, nil); err != nil && !errors.Is(err, errGone) {
		return fmt.Errorf("completing job %q: %w", a.Name, err)
	}
	return nil
}

func (l *listener) workFolder() string {
	work := string(l.settings.WorkFolder)
	if filepath.IsAbs(work) {
		return work
	}
	return l.path(work)
}

// spawnWorker runs bin/Runner.Worker. Its stdin stays open for as long as the job may run: the worker cancels when it
// closes, be it on purpose or because this process died.
func (l *listener) spawnWorker(ctx context.Context, a assignment) (code int, output string, err error) {
	line, err := json.Marshal(a)
	if err != nil {
		return 0, "", fmt.Errorf("encoding the job: %w", err)
	}
	name := "Runner.Worker"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	cmd := exec.Command(filepath.Join(l.path("bin"), name), "spawnclient")
	cmd.Dir = l.root
	cmd.WaitDelay = 2 * time.Second
	var out lockedBuffer
	cmd.Stdout, cmd.Stderr = &out, &out
	in, err := cmd.StdinPipe()
	if err != nil {
		return 0, "", fmt.Errorf("starting the worker: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return 0, "", fmt.Errorf("starting the worker: %w", err)
	}
	if _, err := in.Write(append(line, '\n')); err != nil {
		return 0, "", errors.Join(fmt.Errorf("telling the worker its job: %w", err), cmd.Process.Kill(), cmd.Wait())
	}
	exited := make(chan struct{})
	go func() {
		select {
		case <-exited:
			return
		case <-ctx.Done():
		}
		// Closing twice, or killing what has ended, changes nothing.
		_ = in.Close()
		select {
		case <-exited:
		case <-time.After(killAfter):
			_ = cmd.Process.Kill()
		}
	}()
	err = cmd.Wait()
	close(exited)
	var exit *exec.ExitError
	if errors.As(err, &exit) || errors.Is(err, exec.ErrWaitDelay) {
		err = nil
	}
	return cmd.ProcessState.ExitCode(), out.String(), err
}

// lockedBuffer outlives the copying that exec gives up on.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write appends to the buffer and never fails.
func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// inherited is the environment of a child, with some of it replaced.
func inherited(set map[string]string) []string {
	env := os.Environ()
	for k, v := range set {
		env = append(env, k+"="+v)
	}
	return env
}
