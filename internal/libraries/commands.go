package libraries

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
)

const (
	// outputKept is how much of what a package manager says is kept, and outputRepeated how much of that is repeated in an error.
	outputKept     = 64 << 10
	outputRepeated = 4 << 10
	// outputTime is how long what a package manager has left behind may hold its output.
	outputTime = 10 * time.Second
)

// runner runs commands of a package manager.
type runner struct {
	environment []string
	say         func(string)
}

// run runs a command without a question to anybody, and returns the end of its output. Between two commands somebody else, such as
// the first update of a new machine, may take a lock that the next one needs: that is waited for. What was cut off in dpkg, as by
// the power, is finished first where apt asks for that.
func (r runner) run(ctx context.Context, words ...string) (string, error) {
	finished := filepath.Base(words[0]) == "dpkg"
	for {
		text, err := r.once(ctx, words...)
		switch {
		case err == nil || ctx.Err() != nil:
			return text, err
		case saysInterrupted(text) && finished:
			return text, fmt.Errorf("%w: %w", ErrInterrupted, err)
		case saysInterrupted(text):
			finished = true
			dpkg := filepath.Join(filepath.Dir(words[0]), "dpkg") // which is where this manager is
			if text, err := r.run(ctx, dpkg, "--force-confold", "--configure", "-a"); err != nil {
				return text, fmt.Errorf("%w: %w", ErrInterrupted, err)
			}
			continue
		case !saysLocked(text):
			return text, err
		}
		r.say("waiting for a lock that another package manager holds")
		if retry := waitForPackages(ctx, r.say); retry != nil {
			return text, err
		}
		select {
		case <-ctx.Done():
			return text, err
		case <-time.After(lockPause): // it may be one that is in no list of ours
		}
	}
}

// saysLocked knows the words of apt, dpkg, rpm and zypper for a lock that another holds; dnf and yum wait by themselves. That a lock
// cannot be taken has other reasons as well, such as a disk that is full, which no waiting mends.
func saysLocked(text string) bool {
	return slices.ContainsFunc([]string{
		"is held by", "Resource temporarily unavailable", "locked by another process", "System management is locked",
	}, func(words string) bool { return strings.Contains(text, words) })
}

// saysInterrupted knows the words of apt, which name the command: Ubuntu's have sudo before it.
func saysInterrupted(text string) bool {
	return strings.Contains(text, "dpkg was interrupted") && strings.Contains(text, "dpkg --configure -a")
}

func (r runner) once(ctx context.Context, words ...string) (string, error) {
	r.say(strings.Join(words, " "))
	cmd := exec.CommandContext(ctx, program(words[0]), words[1:]...) //nolint:gosec // the distribution's own package manager
	cmd.Env = append([]string{"PATH=" + account.SearchPath(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive", "HOME=/"}, r.environment...)
	cmd.WaitDelay = outputTime
	said := &tail{most: outputKept}
	cmd.Stdout, cmd.Stderr = said, said
	err := cmd.Run()
	if err == nil || hasSucceeded(words[0], err) {
		return said.String(), nil
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	text := said.String()
	last := strings.TrimSpace(text[max(0, len(text)-outputRepeated):])
	return text, fmt.Errorf("running %s: %w: %w:\n%s", words[0], ErrInstall, err, last)
}

// hasSucceeded tells of errors that are none of the installation: something that a package has started holds the output, or zypper
// says that the system, or itself, is to be started again.
func hasSucceeded(manager string, err error) bool {
	const reboot, restart = 102, 103
	var exit *exec.ExitError
	switch {
	case errors.Is(err, exec.ErrWaitDelay):
		return true // which there is after exit code 0 alone
	case filepath.Base(manager) == "zypper" && errors.As(err, &exit):
		return exit.ExitCode() == reboot || exit.ExitCode() == restart
	}
	return false
}

// tail keeps the end of what is written to it.
type tail struct {
	most int
	text []byte
}

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.text = append(t.text, p[max(0, len(p)-t.most):]...)
	if len(t.text) > 2*t.most { // not at each write
		t.text = append(t.text[:0], t.text[len(t.text)-t.most:]...)
	}
	return len(p), nil
}

func (t *tail) String() string { return string(t.text[max(0, len(t.text)-t.most):]) }

// program finds a package manager where the system has it: PATH may be anything.
func program(name string) string {
	for _, dir := range strings.Split(account.SearchPath(), ":") {
		if path, err := exec.LookPath(dir + "/" + name); err == nil {
			return path
		}
	}
	return name
}
