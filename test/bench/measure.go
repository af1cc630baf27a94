package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// usage is what a command and the processes that it waited for have used.
type usage struct {
	Wall float64 `json:"wall_s"`
	CPU  float64 `json:"cpu_s"`    // user and system, of all together
	RSS  int64   `json:"rss_peak"` // bytes, of the largest
}

// measureCommand runs the command of its arguments and writes what it used to
// descriptor 3. It is a process of its own since a child's peak of memory begins
// with that of the process that started it, and this one is small. Like the server it
// ends with its standard input, and takes what it started along.
func measureCommand(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New("measure wants a command")
	}
	report := reportFile()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		endOwnGroup()
	}()
	command := exec.CommandContext(ctx, args[0], args[1:]...) //nolint:gosec // to run what it is told is its job
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	began := time.Now()
	err := command.Run()
	wall := time.Since(began)
	if err != nil {
		return fmt.Errorf("running %q: %w", args[0], err)
	}
	state := command.ProcessState
	return json.NewEncoder(report).Encode(usage{
		Wall: wall.Seconds(),
		CPU:  (state.UserTime() + state.SystemTime()).Seconds(),
		RSS:  peakRSS(state),
	})
}

// measure runs a command in dir, and all that it starts as one group, which is
// killed when the context ends. What it printed is in the error if it failed.
func measure(ctx context.Context, dir string, command []string) (usage, error) {
	self, err := os.Executable()
	if err != nil {
		return usage{}, fmt.Errorf("finding this program: %w", err)
	}
	report, write, err := os.Pipe()
	if err != nil {
		return usage{}, fmt.Errorf("making a pipe: %w", err)
	}
	defer report.Close()
	printed := &tail{}
	c := exec.CommandContext(ctx, self, append([]string{"measure"}, command...)...)
	c.Dir = dir
	c.Env = plainEnvironment(os.Environ())
	c.Stdout, c.Stderr = printed, printed
	c.ExtraFiles = []*os.File{write}
	c.WaitDelay = 10 * time.Second
	ownGroup(c)
	_, err = c.StdinPipe() // Wait closes it
	if err == nil {
		err = c.Start()
	}
	_ = write.Close() // the child has its own
	if err != nil {
		return usage{}, fmt.Errorf("starting %q: %w", command[0], err)
	}
	text, readErr := io.ReadAll(report)
	// The report ends with the process, so this is for what it may have left behind.
	_ = c.Cancel()
	if err := errors.Join(c.Wait(), readErr); ctx.Err() != nil {
		return usage{}, ctx.Err() // that it was killed says nothing more
	} else if err != nil {
		return usage{}, fmt.Errorf("measuring %q: %w, it printed:\n%s", command[0], err, printed)
	}
	u := usage{}
	if err := json.Unmarshal(text, &u); err != nil {
		return u, fmt.Errorf("reading what %q used: %w", command[0], err)
	}
	return u, nil
}

// plainEnvironment leaves out proxies, which some of the programs would use even
// for the loopback.
func plainEnvironment(environment []string) (plain []string) {
	for _, pair := range environment {
		name, _, _ := strings.Cut(pair, "=")
		if !strings.HasSuffix(strings.ToLower(name), "_proxy") {
			plain = append(plain, pair)
		}
	}
	return plain
}

// tail keeps the end of what is written to it.
type tail struct{ text []byte }

const tailSize = 4 << 10

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.text = append(t.text, p...)
	t.text = t.text[max(0, len(t.text)-tailSize):]
	return len(p), nil
}

// String is what was kept.
func (t *tail) String() string { return string(bytes.TrimSpace(t.text)) }
