package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
)

const (
	version = "2.337.0"
	// padding makes the archive large enough for a fetch to take a moment.
	padding = 24 << 20
	scope   = "octo-org/hello"
	runner  = "demo-1"
	// account runs the jobs when the demonstration is run as root; every system
	// has it.
	account = "nobody"
)

// stage is where the demonstration takes place.
type stage struct {
	dir     string // for the program and its token
	program string
	server  *githubtest.Server
	token   string
}

// prepare builds the program and starts the simulated GitHub.
func prepare(ctx context.Context, dir string) (*stage, error) {
	s := &stage{dir: dir, program: filepath.Join(dir, "runner-bootstrap"), token: filepath.Join(dir, "token")}
	say("building runner-bootstrap, and a simulated GitHub with a simulated runner archive, in DEMO=%s", dir)
	// In one go, and in the way in which this program was built: a fresh clone
	// compiles the standard library once.
	build := exec.CommandContext(ctx, "go", "build", "-o", dir+string(filepath.Separator),
		"./cmd/runner-bootstrap", "./internal/githubtest/listener")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return nil, fmt.Errorf("building runner-bootstrap (run this from the root of its repository): %w", err)
	}
	platform, err := download.Host()
	if err != nil {
		return nil, err
	}
	archive, err := githubtest.NewArchive(githubtest.ArchiveSpec{
		Platform: platform.String(), Version: version, Listener: filepath.Join(dir, "listener"), Padding: padding,
	})
	if err != nil {
		return nil, err
	}
	s.server, err = githubtest.Start(githubtest.Config{Archive: archive})
	if err != nil {
		return nil, err
	}
	return s, os.WriteFile(s.token, []byte(s.server.Token()), 0o600)
}

// play is the demonstration, in the order in which an operator would do it.
func (s *stage) play(ctx context.Context) error {
	where := []string{"--dir", filepath.Join(s.dir, "rb")}
	token := []string{"--token-file", s.token}
	install := words("install", "--url", s.server.URL()+"/"+scope, "--name", runner, "--no-service", where, token)
	if os.Geteuid() == 0 {
		install = append(install, "--user", account)
	}
	if err := s.show(ctx, install); err != nil {
		return err
	}
	say("again: nothing is to be done")
	if err := s.show(ctx, install); err != nil {
		return err
	}
	stop, err := s.background(ctx, words("run", "--name", runner, where))
	if err != nil {
		return err
	}
	defer stop()
	if err := s.awaitListening(ctx, words("status", "--json", where)); err != nil {
		return err
	}
	if err := s.show(ctx, words("status", where, token)); err != nil {
		return err
	}
	if err := s.job(ctx); err != nil {
		return err
	}
	if err := s.show(ctx, words("uninstall", where, token)); err != nil {
		return err
	}
	if left := s.server.Runners(""); len(left) > 0 {
		return fmt.Errorf("GitHub still lists %d runners", len(left))
	}
	return s.show(ctx, words("status", where))
}

// words joins single words and lists of words.
func words(parts ...any) []string {
	var all []string
	for _, part := range parts {
		switch p := part.(type) {
		case string:
			all = append(all, p)
		case []string:
			all = append(all, p...)
		}
	}
	return all
}

// command makes the program's process. Its environment is the same everywhere,
// and so is what it says.
func (s *stage) command(ctx context.Context, arguments []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, s.program, arguments...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "RUNNER_BOOTSTRAP_LOG_FORMAT=lines", "RUNNER_BOOTSTRAP_PREEMPTION=off"}
	return cmd
}

// show prints a command as one would type it, and all that it says.
func (s *stage) show(ctx context.Context, arguments []string) error {
	fmt.Println("$ runner-bootstrap " + s.tidy(strings.Join(arguments, " ")))
	output, err := s.command(ctx, arguments).CombinedOutput()
	fmt.Print(s.tidy(string(output)))
	if err != nil {
		return fmt.Errorf("runner-bootstrap %s: %w", arguments[0], err)
	}
	return nil
}

// awaitListening waits until the supervisor knows what GitHub knows.
func (s *stage) awaitListening(ctx context.Context, arguments []string) error {
	if err := s.server.WaitListening(ctx, runner); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		output, err := s.command(ctx, arguments).Output()
		if err != nil || strings.Contains(string(output), `"state": "idle"`) {
			return err
		}
	}
}

// tidy shortens the paths that only this demonstration has.
func (s *stage) tidy(text string) string { return strings.ReplaceAll(text, s.dir, "$DEMO") }

// background starts a command whose output goes into a file, and returns what
// stops it.
func (s *stage) background(ctx context.Context, arguments []string) (stop func(), err error) {
	fmt.Println("$ runner-bootstrap " + s.tidy(strings.Join(arguments, " ")) + " &")
	log, err := os.Create(filepath.Join(s.dir, "run.log"))
	if err != nil {
		return nil, err
	}
	cmd := s.command(ctx, arguments)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 45 * time.Second
	if err := errors.Join(cmd.Start(), log.Close()); err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // how it ended shows in what uninstall says
	}()
	return func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // uninstall has stopped it already
		<-ended
	}, nil
}

// job gives the runner some work.
func (s *stage) job(ctx context.Context) error {
	say("GitHub gives %s a job", runner)
	job := s.server.QueueJob(runner, githubtest.Job{Name: "greet", Script: `echo "hello from $(id -un) in $PWD"`})
	conclusion, err := job.Wait(ctx)
	if err != nil {
		return err
	}
	fmt.Print(s.tidy(job.Output()))
	if conclusion != "succeeded" {
		return fmt.Errorf("the job %s", conclusion)
	}
	say("the job %s", conclusion)
	return nil
}

// nothingLeft makes sure that uninstall has kept its promise: the cache of
// verified runners is all that stays.
func (s *stage) nothingLeft(dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && path == filepath.Join(dir, "cache") {
			return filepath.SkipDir
		}
		if err != nil || entry.IsDir() {
			return err
		}
		return fmt.Errorf("left behind: %s", path)
	})
}
