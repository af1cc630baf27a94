package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
	"github.com/runner-bootstrap/runner-bootstrap/internal/transport"
)

// ErrNoRunner means that the scope's runners could be listed, and that none of
// them is called as asked for.
var ErrNoRunner = errors.New("there is no such runner")

// Application is one runner archive on offer.
type Application struct {
	OS           string `json:"os"`
	Architecture string `json:"architecture"`
	DownloadURL  string `json:"download_url"`
	Filename     string `json:"filename"`
	// Bearer is set where the download host wants a short-lived token of its
	// own (GitHub Enterprise Server).
	Bearer secret.Secret `json:"-"`
	// SHA256 may be absent: the field is optional in GitHub's description.
	SHA256 string `json:"sha256_checksum"`
}

// Token lets a host register or remove runners for an hour.
type Token struct {
	Value   secret.Secret
	Expires time.Time
}

// Runner is a runner as GitHub knows it.
type Runner struct {
	ID        int64   `json:"id"`
	GroupID   int64   `json:"runner_group_id"` // 0 where GitHub does not tell
	Name      string  `json:"name"`
	OS        string  `json:"os"`
	Status    string  `json:"status"` // "online" or "offline"; GitHub declares no enumeration
	Busy      bool    `json:"busy"`
	Ephemeral bool    `json:"ephemeral"`
	Version   string  `json:"version"` // empty until it first connects
	Labels    []Label `json:"labels"`
}

// Label is one label of a runner; its type is "read-only" or "custom".
type Label struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// Online tells whether a listener is connected.
func (r Runner) Online() bool { return r.Status == "online" }

// Applications lists the runner archives on offer for the scope, one version
// for every platform.
func (c *Client) Applications(ctx context.Context) ([]Application, error) {
	var answer []struct {
		Application
		Bearer string `json:"temp_download_token"`
	}
	err := c.do(ctx, request{
		op: "listing runner applications", method: http.MethodGet, suffix: "runners/downloads",
		want: http.StatusOK, answer: &answer,
	})
	if err != nil {
		return nil, err
	}
	if answer == nil {
		return nil, fmt.Errorf("listing runner applications of %s: %w: it holds no list", c.scope, ErrNotGitHub)
	}
	applications := make([]Application, 0, len(answer))
	for _, a := range answer {
		a.Application.Bearer = secret.New(a.Bearer)
		applications = append(applications, a.Application)
	}
	return applications, nil
}

// RegistrationToken mints a token that config.sh registers runners with.
func (c *Client) RegistrationToken(ctx context.Context) (Token, error) {
	return c.mint(ctx, "minting a registration token", "runners/registration-token")
}

// RemoveToken mints a token that config.sh removes runners with.
func (c *Client) RemoveToken(ctx context.Context) (Token, error) {
	return c.mint(ctx, "minting a remove token", "runners/remove-token")
}

func (c *Client) mint(ctx context.Context, op, suffix string) (Token, error) {
	var answer struct {
		Token   string    `json:"token"`
		Expires time.Time `json:"expires_at"`
	}
	// A second token does no harm, so this POST may be sent again.
	err := c.do(transport.Repeatable(ctx), request{
		op: op, method: http.MethodPost, suffix: suffix, want: http.StatusCreated, answer: &answer,
	})
	if err != nil {
		return Token{}, err
	}
	if answer.Token == "" || secret.CheckToken(answer.Token) != nil {
		return Token{}, fmt.Errorf("%s of %s: %w: it holds no token", op, c.scope, ErrNotGitHub)
	}
	return Token{Value: secret.New(answer.Token), Expires: answer.Expires}, nil
}

// Runners lists the scope's runners, only those called name unless it is
// empty; names ignore case. Either all are returned or an error.
func (c *Client) Runners(ctx context.Context, name string) ([]Runner, error) {
	query := url.Values{}
	if name != "" {
		query.Set("name", name)
	}
	all, err := listed(ctx, c, request{op: "listing runners", suffix: "runners", query: query},
		func(p page) []Runner { return p.Runners }, func(r Runner) int64 { return r.ID })
	if err != nil {
		return nil, err
	}
	for _, runner := range all {
		if runner.Name == "" {
			return nil, fmt.Errorf("listing runners of %s: %w: runner %d has no name", c.scope, ErrNotGitHub, runner.ID)
		}
	}
	if name == "" {
		return all, nil
	}
	// Servers that predate the name filter ignore it.
	return slices.DeleteFunc(all, func(r Runner) bool { return !strings.EqualFold(r.Name, name) }), nil
}

// RunnerNamed gets the runner called name; names ignore case.
// [ErrNoRunner] if there is none.
func (c *Client) RunnerNamed(ctx context.Context, name string) (Runner, error) {
	if name == "" {
		return Runner{}, fmt.Errorf("getting a runner of %s: %w without a name", c.scope, ErrNoRunner)
	}
	named, err := c.Runners(ctx, name)
	if err != nil {
		return Runner{}, err
	}
	if len(named) == 0 {
		return Runner{}, fmt.Errorf("getting runner %q of %s: %w", name, c.scope, ErrNoRunner)
	}
	return named[0], nil
}

// Runner gets one runner; [ErrNotFound] if there is none with this id.
func (c *Client) Runner(ctx context.Context, id int64) (Runner, error) {
	var runner Runner
	op := "getting runner " + strconv.FormatInt(id, 10)
	err := c.do(ctx, request{
		op: op, method: http.MethodGet, suffix: runnerPath(id), want: http.StatusOK, answer: &runner,
	})
	if err != nil {
		return Runner{}, err
	}
	if runner.ID != id || runner.Name == "" {
		return Runner{}, fmt.Errorf("%s of %s: %w: it is about another one", op, c.scope, ErrNotGitHub)
	}
	return runner, nil
}

// DeleteRunner removes a runner; one that is gone already is a success.
// [ErrBusy] while it runs a job.
func (c *Client) DeleteRunner(ctx context.Context, id int64) error {
	err := c.do(ctx, request{
		op: "deleting runner " + strconv.FormatInt(id, 10), method: http.MethodDelete, suffix: runnerPath(id),
		want: http.StatusNoContent,
	})
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

func runnerPath(id int64) string { return "runners/" + strconv.FormatInt(id, 10) }
