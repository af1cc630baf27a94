package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
)

const (
	nextTable = "next-job"
	// jobLimit bounds one job and what comes after it.
	jobLimit = 2 * time.Minute
	// The words of the listener and of its agent, in small letters, and what the agent says of a job.
	saysListening = "listening for jobs"
	saysEnded     = "job ended"
)

// measureNext measures how long an ephemeral runner of the official size takes from the
// end of one job to the moment in which it listens for the next, and what of that
// config.sh and the start of the listener are, which it cannot do without.
func (b *bench) measureNext(ctx context.Context, r *report) (err error) {
	t := &table{Name: nextTable, Title: "An ephemeral runner, from a job's end to the next listening", Baseline: "by-hand"}
	cases := b.choose(t, []benchCase{
		{name: "by-hand", title: "config.sh and the listener's start alone", needs: []string{"bash", "tar"}},
		{name: "by-hand-jit", title: "the listener's start alone"},
		{name: "ours", title: "**runner-bootstrap, --ephemeral**", lacking: b.product.lacking},
		{name: "ours-jit", title: "**runner-bootstrap, --jit**", lacking: b.product.lacking},
	})
	if len(cases) == 0 {
		return nil
	}
	dir, err := b.work.goOutside()
	if err != nil {
		return fmt.Errorf("making a place for runners: %w", err)
	}
	defer func() { err = errors.Join(err, b.work.leaveOutside()) }()
	g, err := b.openLive(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.server.Close()) }()
	err = b.work.at(filepath.Join(dir, "volume")).fresh(ctx, func(volume string) error {
		n := &nextStage{dir: volume, product: b.product, live: g}
		return errors.Join(n.measure(ctx, b, t, cases), n.stop())
	})
	if err != nil {
		return fmt.Errorf("measuring %s: %w", nextTable, err)
	}
	r.add(t)
	return nil
}

// nextStage is where the runners of the table are.
type nextStage struct {
	dir     string
	product product
	live    *live
	hand    string // root of the one that is started by hand
	kept    map[string]*ephemeral
}

func (n *nextStage) measure(ctx context.Context, b *bench, t *table, cases []benchCase) error {
	for _, c := range cases {
		if err := n.prepare(ctx, c.name); err != nil {
			return fmt.Errorf("preparing %s: %w", c.name, err)
		}
	}
	for round := range max(b.rounds, 3) {
		for i := range cases {
			c := cases[(i+round)%len(cases)]
			if err := errors.Join(b.work.settle(n.dir), awaitQuiet(ctx)); err != nil {
				return err
			}
			s := sample{Load: loadAverage()}
			stolen := stolenTime()
			took, err := n.once(ctx, c.name)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			s.Wall, s.Steal = took.Seconds(), (stolenTime() - stolen).Seconds()
			say("%s/%s: %.3f s", t.Name, c.name, s.Wall)
			row := t.row(c.name)
			row.Samples = append(row.Samples, s)
		}
	}
	return nil
}

const (
	quietFor = 300 * time.Millisecond
	quietMax = 30 * time.Second
)

// awaitQuiet waits until the processors have little to do, or for a while at most: the runner of the case before may be making the copy
// for its next job, which it does while it waits for that one, and not while others are measured.
func awaitQuiet(ctx context.Context) error {
	for end := time.Now().Add(quietMax); time.Now().Before(end); {
		idle, began := unusedTime(), time.Now()
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(quietFor):
		}
		whole := time.Since(began) * time.Duration(runtime.NumCPU())
		if (unusedTime()-idle)*10 >= whole*9 {
			return nil
		}
	}
	say("the host is busy with something else")
	return nil
}

func (n *nextStage) byHand(name string) bool { return strings.HasPrefix(name, "by-hand") }

func (n *nextStage) prepare(ctx context.Context, name string) (err error) {
	if n.byHand(name) {
		if n.hand != "" {
			return nil
		}
		n.hand = filepath.Join(n.dir, "hand")
		return errors.Join(os.Mkdir(n.hand, 0o755), tool(ctx, "tar", "-xzf", n.live.archive.Path, "-C", n.hand))
	}
	words := []string{"--ephemeral"}
	if strings.HasSuffix(name, "jit") {
		words = []string{"--jit"}
	}
	if os.Geteuid() == 0 {
		words = append(words, "--user", jobAccount)
	}
	host := filepath.Join(n.dir, name)
	err = tool(ctx, n.product.path, append([]string{
		"install", "--dir", host, "--url", n.live.scopeURL(), "--token-file", n.live.token, "--name", name, "--no-service", "--no-progress",
	}, words...)...)
	if err != nil {
		return err
	}
	if n.kept == nil {
		n.kept = map[string]*ephemeral{}
	}
	n.kept[name], err = startEphemeral(ctx, n.product.path, "run", "--dir", host, "--name", name)
	if err != nil {
		return err
	}
	_, err = n.kept[name].await(saysListening)
	return err
}

// once is one sample of a case.
func (n *nextStage) once(ctx context.Context, name string) (time.Duration, error) {
	if n.byHand(name) {
		return n.start(ctx, strings.HasSuffix(name, "jit"))
	}
	k := n.kept[name]
	job := n.live.server.QueueJob(name, githubtest.Job{Name: "measured", Script: "true"})
	ended, err := k.await(saysEnded)
	if err != nil {
		return 0, err
	}
	listens, err := k.await(saysListening)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, jobLimit)
	defer cancel()
	if conclusion, err := job.Wait(ctx); err != nil || conclusion != "succeeded" {
		return 0, fmt.Errorf("the job: %s, %w", conclusion, err)
	}
	return listens.Sub(ended), nil
}

// start registers the runner that is started by hand, and starts its listener, whose
// time alone counts if there is nothing to register.
func (n *nextStage) start(ctx context.Context, registered bool) (took time.Duration, err error) {
	const name = "hand"
	began := time.Now()
	c := exec.CommandContext(ctx, "./config.sh", "--unattended", "--ephemeral", "--url", n.live.scopeURL(),
		"--token", n.live.server.RegistrationToken(scope), "--name", name, "--replace")
	c.Dir, c.Env = n.hand, append(plainEnvironment(os.Environ()), "RUNNER_ALLOW_RUNASROOT=1")
	ownGroup(c)
	if text, err := c.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("config.sh: %w: %s", err, text)
	}
	if registered {
		began = time.Now()
	}
	k, err := startEphemeral(ctx, filepath.Join(n.hand, "bin", "Runner.Listener"), "run")
	if err != nil {
		return 0, err
	}
	defer func() {
		err = errors.Join(err, k.stop())
		for _, file := range []string{".runner", ".credentials", ".credentials_rsaparams"} {
			if removed := os.Remove(filepath.Join(n.hand, file)); !errors.Is(removed, os.ErrNotExist) {
				err = errors.Join(err, removed)
			}
		}
	}()
	listens, err := k.await(saysListening)
	return listens.Sub(began), err
}

func (n *nextStage) stop() (err error) {
	for _, k := range n.kept {
		err = errors.Join(err, k.stop())
	}
	return err
}

// ephemeral is a program whose lines are timed as they come.
type ephemeral struct {
	command *exec.Cmd
	lines   chan line
	last    *tail
}

type line struct {
	text string
	at   time.Time
}

// startEphemeral starts a program that runs a listener. Its caller stops it.
func startEphemeral(ctx context.Context, path string, args ...string) (*ephemeral, error) {
	k := &ephemeral{command: exec.CommandContext(ctx, path, args...), lines: make(chan line, 10000), last: &tail{}}
	k.command.Env = append(plainEnvironment(os.Environ()), "RUNNER_ALLOW_RUNASROOT=1")
	ownGroup(k.command)
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	k.command.Stdout, k.command.Stderr = write, write
	err = k.command.Start()
	if err := errors.Join(err, write.Close()); err != nil {
		return nil, errors.Join(err, read.Close())
	}
	go func() {
		defer read.Close()
		defer close(k.lines)
		in := bufio.NewReader(read)
		for {
			text, err := in.ReadString('\n')
			if err != nil {
				return
			}
			k.lines <- line{text: text, at: time.Now()}
		}
	}()
	return k, nil
}

// await returns when the next line with these words came.
func (k *ephemeral) await(words string) (time.Time, error) {
	limit := time.NewTimer(jobLimit)
	defer limit.Stop()
	for {
		select {
		case <-limit.C:
			return time.Time{}, fmt.Errorf("%q was not said, this was:\n%s", words, k.last)
		case said, more := <-k.lines:
			if !more {
				return time.Time{}, fmt.Errorf("it ended before it said %q:\n%s", words, k.last)
			}
			_, _ = io.WriteString(k.last, said.text) // it takes everything
			if strings.Contains(strings.ToLower(said.text), words) {
				return said.at, nil
			}
		}
	}
}

// stop ends the program, and what it may have left.
func (k *ephemeral) stop() error {
	_ = k.command.Process.Signal(syscall.SIGTERM) // it may have ended
	over := make(chan struct{})
	go func() {
		defer close(over)
		_ = k.command.Wait() // how a listener ends that is asked to is its own affair
	}()
	defer func() { _ = k.command.Cancel() }() // nothing may be left
	select {
	case <-over:
		return nil
	case <-time.After(stopLimit):
		return errors.Join(fmt.Errorf("ending %q: it did not end within %s", k.command.Path, stopLimit), k.command.Cancel())
	}
}
