package github

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/retry"
	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
)

const (
	jitTries   = 3
	jitPause   = time.Second // doubled with each try
	maxName    = 64          // characters of a runner's name
	nameSuffix = 6
)

// ErrNoJIT means that the server is a GitHub Enterprise Server from before
// just-in-time configurations: a registration token and --ephemeral do it there.
var ErrNoJIT = errors.New("the server has no just-in-time configurations")

// ErrNameTaken means that a runner which is not ours has the name.
var ErrNameTaken = errors.New("another runner has this name")

// JITRequest describes the runner that a just-in-time configuration is for.
type JITRequest struct {
	Name    string // at most 64 characters
	GroupID int64  // 0 is the default group, a repository's only one
	Labels  []string
	// WorkFolder is relative to the runner's directory; empty is "_work".
	WorkFolder string
}

// JIT is a runner that was registered without having run, and what it runs with.
type JIT struct {
	Runner Runner        // its name may have a suffix that was not asked for
	Config secret.Secret // for the runner's --jitconfig
}

// JITConfig registers an ephemeral runner and returns its configuration, which
// can be had only once. GitHub may register the runner and fail to say so, and
// the name is taken then; so after an answer that was lost, or that the name is
// taken, the runner of that name is looked at. If it has never connected and has
// all labels asked for, it is taken for the one that was lost, deleted, and
// another one registered as NAME-xxxxxx; any other runner is left alone:
// [ErrNameTaken]. After three tries the last error is returned.
//
// [ErrNoJIT] on a server without them, which is [ErrNotFound] as well;
// [*UnknownGroupError] for an unknown group. After a failure a runner that never
// connects may be left behind if even looking failed or ctx ended; GitHub
// forgets it within a day.
func (c *Client) JITConfig(ctx context.Context, r JITRequest) (JIT, error) {
	if err := r.check(); err != nil {
		return JIT{}, fmt.Errorf("making a just-in-time configuration of %s: %w", c.scope, err)
	}
	if r.GroupID == 0 {
		r.GroupID = defaultGroup
	}
	wanted := r.Name
	for try := 1; ; try++ {
		made, err := c.registerJIT(ctx, r)
		if err == nil {
			return made, nil
		}
		if errors.Is(err, ErrNotFound) {
			return JIT{}, c.missing(ctx, r, err)
		}
		if ctx.Err() != nil || !mayExist(err) {
			return JIT{}, err
		}
		found, lookErr := c.deleteLost(ctx, r)
		switch {
		case errors.Is(lookErr, ErrNameTaken):
			return JIT{}, fmt.Errorf("%w: %w", err, lookErr)
		case lookErr != nil:
			return JIT{}, fmt.Errorf("%w; whether the runner is there is not known: %w", err, lookErr)
		case try == jitTries:
			return JIT{}, err
		case found, errors.Is(err, ErrConflict):
			r.Name = suffixed(wanted)
		}
		if !errors.Is(err, ErrConflict) && !pause(ctx, try) {
			return JIT{}, err
		}
	}
}

func (r JITRequest) check() error {
	if r.Name == "" || len([]rune(r.Name)) > maxName {
		return fmt.Errorf("a runner's name has 1 to %d characters, unlike %q", maxName, oneLine(r.Name, maxTitle))
	}
	return CheckLabels(r.Labels, 1)
}

func (c *Client) registerJIT(ctx context.Context, r JITRequest) (JIT, error) {
	var answer struct {
		Runner Runner `json:"runner"`
		Config string `json:"encoded_jit_config"`
	}
	op := fmt.Sprintf("making a just-in-time configuration for runner %q", r.Name)
	err := c.do(ctx, request{
		op: op, method: http.MethodPost, suffix: "runners/generate-jitconfig", want: http.StatusCreated, answer: &answer,
		body: struct {
			Name       string   `json:"name"`
			GroupID    int64    `json:"runner_group_id"`
			Labels     []string `json:"labels"`
			WorkFolder string   `json:"work_folder,omitempty"`
		}{r.Name, r.GroupID, r.Labels, r.WorkFolder},
	})
	if err != nil {
		return JIT{}, err
	}
	if answer.Config == "" || answer.Runner.ID <= 0 || answer.Runner.Name == "" {
		return JIT{}, fmt.Errorf("%s of %s: %w: it holds no configuration", op, c.scope, ErrNotGitHub)
	}
	return JIT{Runner: answer.Runner, Config: secret.New(answer.Config)}, nil
}

// mayExist tells whether a runner may be there in spite of an error: the answer
// was lost or useless, or says so.
func mayExist(err error) bool {
	return errors.Is(err, ErrConflict) || errors.Is(err, ErrServer) || errors.Is(err, ErrNetwork) || errors.Is(err, ErrNotGitHub)
}

// deleteLost deletes the runner that was registered without our hearing of it,
// and tells whether there was one.
func (c *Client) deleteLost(ctx context.Context, r JITRequest) (found bool, err error) {
	named, err := c.Runners(ctx, r.Name)
	if err != nil {
		return false, err
	}
	for _, runner := range named {
		if !neverRan(runner) || slices.ContainsFunc(r.Labels, func(label string) bool { return !labelled(runner.Labels, label) }) {
			return false, fmt.Errorf("%w: id %d, %s", ErrNameTaken, runner.ID, oneLine(runner.Status, maxTitle))
		}
	}
	for _, runner := range named {
		if err := c.DeleteRunner(ctx, runner.ID); err != nil {
			return false, err
		}
	}
	return len(named) > 0, nil
}

func neverRan(r Runner) bool { return !r.Online() && !r.Busy && r.Version == "" }

// missing finds out what is not found: the group, all of it for this credential,
// or the operation on an old server.
func (c *Client) missing(ctx context.Context, r JITRequest, err error) error {
	if c.scope.Kind == Repository {
		// What may be seen is enough; there can be thousands.
		look := request{op: "listing runners", method: http.MethodGet, suffix: "runners", want: http.StatusOK}
		if c.do(ctx, look) != nil {
			return err
		}
	} else {
		groups, listErr := c.Groups(ctx)
		if listErr != nil {
			return err
		}
		if !slices.ContainsFunc(groups, func(g Group) bool { return g.ID == r.GroupID }) {
			unknown := &UnknownGroupError{Group: strconv.FormatInt(r.GroupID, 10), Scope: c.scope}
			for _, group := range groups {
				unknown.Known = append(unknown.Known, group.Name)
			}
			return fmt.Errorf("%w: %w", unknown, err)
		}
	}
	if c.scope.Cloud() {
		return err
	}
	return fmt.Errorf("%w: %w", ErrNoJIT, err)
}

// suffixed is another name for the same runner.
func suffixed(name string) string {
	letters := []rune(name)
	return string(letters[:min(len(letters), maxName-nameSuffix-1)]) + "-" + strings.ToLower(rand.Text()[:nameSuffix])
}

// pause waits before a try that follows a failure of the server's. It is false if ctx ended.
func pause(ctx context.Context, try int) bool {
	return retry.Sleep(ctx, retry.Jitter(jitPause<<try)) == nil
}
