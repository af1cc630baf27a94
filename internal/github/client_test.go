package github_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest/contract"
	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
	"github.com/runner-bootstrap/runner-bootstrap/internal/transport"
)

var theContract = sync.OnceValues(contract.New)

// simulate starts a GitHub held to GitHub's description of its API. It closes
// each connection after the answer: a client whose clock is a test's own must
// not wait for the network meanwhile.
func simulate(t *testing.T) *githubtest.Server {
	t.Helper()
	held, err := theContract()
	if err != nil {
		t.Fatal(err)
	}
	archive, err := githubtest.NewArchive(githubtest.ArchiveSpec{Platform: "linux-x64", Version: "2.337.0"})
	if err != nil {
		t.Fatal(err)
	}
	var server *githubtest.Server
	server, err = githubtest.Start(githubtest.Config{
		Archive: archive,
		Wrap: func(next http.Handler) http.Handler {
			next = held.Wrap(next, func(err error) { server.Report(err) })
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Connection", "close")
				next.ServeHTTP(w, r)
			})
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, problem := range server.Problems() {
			t.Errorf("problem: %v", problem)
		}
		for _, request := range server.Requests() {
			if request.CarriedSecret {
				t.Errorf("%s %s carried a secret where none belongs", request.Method, request.Path)
			}
		}
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return server
}

func newClient(t *testing.T, rawURL, apiURL, token string) *github.Client {
	t.Helper()
	scope, err := github.ParseScope(rawURL, apiURL)
	if err != nil {
		t.Fatal(err)
	}
	return github.NewClient(transport.NewAPI(transport.Config{UserAgent: "runner-bootstrap/test"}), scope, github.Static(secret.New(token)))
}

const slug = "octo-org"

func everyOperation(t *testing.T, server *githubtest.Server, c *github.Client, scope, root string) {
	t.Helper()
	ctx := t.Context()
	applications, err := c.Applications(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(applications) != 1 || applications[0].OS != "linux" || applications[0].Architecture != "x64" ||
		len(applications[0].SHA256) != 64 ||
		!strings.HasPrefix(applications[0].DownloadURL, server.ArchiveURL()) {
		t.Errorf("applications are %+v", applications)
	}
	if bearer := !applications[0].Bearer.Empty(); bearer != (root == "ghes") {
		t.Errorf("an application has a token of its own: %t", bearer)
	}
	for name, mint := range map[string]func(context.Context) (github.Token, error){
		"registration": c.RegistrationToken, "remove": c.RemoveToken,
	} {
		token, err := mint(ctx)
		if err != nil {
			t.Fatalf("%s token: %v", name, err)
		}
		if left := time.Until(token.Expires); token.Value.Empty() || left < 50*time.Minute || left > 70*time.Minute {
			t.Errorf("%s token %v is good for %v", name, token.Value.Empty(), left)
		}
	}
	added := server.AddRunner(scope, githubtest.Runner{Name: "Web-1", Status: "online", Version: "2.337.0", Ephemeral: true})
	other := server.AddRunner(scope, githubtest.Runner{Name: "web-2"})
	server.AddRunner("somebody-else", githubtest.Runner{Name: "web-1"})

	all, err := c.Runners(ctx, "")
	if err != nil || len(all) != 2 {
		t.Errorf("runners are %+v, %v", all, err)
	}
	named, err := c.Runners(ctx, "web-1")
	if err != nil || len(named) != 1 || named[0].ID != added.ID {
		t.Errorf("runners called web-1 are %+v, %v", named, err)
	}
	got, err := c.Runner(ctx, added.ID)
	if err != nil || got.Name != "Web-1" || !got.Online() || got.Busy || !got.Ephemeral || got.Version != "2.337.0" ||
		len(got.Labels) != 3 || got.Labels[0] != (github.Label{Name: "self-hosted", Type: "read-only"}) {
		t.Errorf("runner is %+v, %v", got, err)
	}
	if got, err := c.Runner(ctx, other.ID); err != nil || got.Version != "" || got.Online() {
		t.Errorf("a runner that never connected is %+v, %v", got, err)
	}
	for _, when := range []string{"first", "second"} {
		if err := c.DeleteRunner(ctx, added.ID); err != nil {
			t.Errorf("deleting the runner for the %s time: %v", when, err)
		}
	}
	if _, err := c.Runner(ctx, added.ID); !errors.Is(err, github.ErrNotFound) {
		t.Errorf("getting a runner that is gone: %v", err)
	}
	if left := server.Runners(scope); len(left) != 1 || left[0].ID != other.ID {
		t.Errorf("GitHub has %+v left", left)
	}
}

func names(labels []github.Label) string {
	all := make([]string, 0, len(labels))
	for _, label := range labels {
		all = append(all, label.Name)
	}
	return strings.Join(all, " ")
}

func everyLabelOperation(t *testing.T, server *githubtest.Server, c *github.Client, scope string) {
	t.Helper()
	ctx, id := t.Context(), server.AddRunner(scope, githubtest.Runner{Name: "labelled"}).ID
	for _, step := range []struct {
		name string
		do   func() ([]github.Label, error)
		want string
	}{
		{"listing", func() ([]github.Label, error) { return c.Labels(ctx, id) }, "self-hosted Linux X64"},
		{"adding", func() ([]github.Label, error) { return c.AddLabels(ctx, id, []string{"gpu", "big"}) }, "self-hosted Linux X64 gpu big"},
		{"adding again", func() ([]github.Label, error) { return c.AddLabels(ctx, id, []string{"GPU"}) }, "self-hosted Linux X64 gpu big"},
		{"removing", func() ([]github.Label, error) { return c.RemoveLabel(ctx, id, "GPU") }, "self-hosted Linux X64 big"},
		{"removing again", func() ([]github.Label, error) { return c.RemoveLabel(ctx, id, "gpu") }, "self-hosted Linux X64 big"},
		{"setting", func() ([]github.Label, error) { return c.SetLabels(ctx, id, []string{"a", "b"}) }, "self-hosted Linux X64 a b"},
		{"clearing", func() ([]github.Label, error) { return c.ClearLabels(ctx, id) }, "self-hosted Linux X64"},
		{"setting none", func() ([]github.Label, error) { return c.SetLabels(ctx, id, nil) }, "self-hosted Linux X64"},
		{"what is there", func() ([]github.Label, error) { return c.Labels(ctx, id) }, "self-hosted Linux X64"},
	} {
		if got, err := step.do(); err != nil || names(got) != step.want {
			t.Errorf("%s gives %q, %v, want %q", step.name, names(got), err, step.want)
		}
	}
	if err := c.DeleteRunner(ctx, id); err != nil {
		t.Error(err)
	}
}

func groupsAndJIT(t *testing.T, server *githubtest.Server, c *github.Client, scope string) {
	t.Helper()
	ctx, group := t.Context(), int64(1)
	if c.Scope().Kind != github.Repository {
		group = server.AddGroup(scope, "Big ones")
		groups, err := c.Groups(ctx)
		if err != nil || len(groups) != 2 || !groups[0].Default || groups[1].Name != "Big ones" || groups[1].ID != group {
			t.Errorf("groups are %+v, %v", groups, err)
		}
		if id, err := c.GroupID(ctx, "big ONES"); err != nil || id != group {
			t.Errorf("the group's id is %d, %v, want %d", id, err, group)
		}
	}
	made, err := c.JITConfig(ctx, github.JITRequest{Name: "just", GroupID: group, Labels: []string{"a", "b"}, WorkFolder: "jobs"})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(made.Config.Reveal())
	if err != nil || !strings.Contains(string(raw), `".runner"`) {
		t.Errorf("the configuration is %q, %v", raw, err)
	}
	named, err := c.RunnerNamed(ctx, "JUST")
	if err != nil || named.ID != made.Runner.ID || named.GroupID != group || named.Name != "just" || !named.Ephemeral || names(named.Labels) != "a b" {
		t.Errorf("the runner is %+v, %v, and was made as %+v", named, err, made.Runner)
	}
	if err := c.DeleteRunner(ctx, named.ID); err != nil {
		t.Error(err)
	}
}

func TestPaging(t *testing.T) {
	t.Parallel()
	for _, runners := range []int{0, 1, 99, 100, 101, 250} {
		t.Run(strconv.Itoa(runners), func(t *testing.T) {
			t.Parallel()
			server := simulate(t)
			for i := range runners {
				server.AddRunner(slug, githubtest.Runner{Name: fmt.Sprintf("web-%d", i)})
			}
			all, err := newClient(t, server.URL()+"/"+slug, "", server.Token()).Runners(t.Context(), "")
			if err != nil {
				t.Fatal(err)
			}
			seen := map[int64]bool{}
			for _, runner := range all {
				seen[runner.ID] = true
			}
			if len(all) != runners || len(seen) != runners {
				t.Errorf("%d runners, %d different ones, want %d", len(all), len(seen), runners)
			}
			if got := len(server.Requests()); got != runners/100+1 {
				t.Errorf("%d requests", got)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	sentinels := map[string]error{
		"unauthorized": github.ErrUnauthorized, "forbidden": github.ErrForbidden, "not found": github.ErrNotFound,
		"conflict": github.ErrConflict, "busy": github.ErrBusy, "rate limited": github.ErrRateLimited,
		"server": github.ErrServer, "network": github.ErrNetwork, "not GitHub": github.ErrNotGitHub,
		"single sign-on": github.ErrSSO, "unprocessable": github.ErrUnprocessable, "moved": github.ErrMoved,
	}
	list := func(ctx context.Context, c *github.Client) error { _, err := c.Runners(ctx, "web-1"); return err }
	mint := func(ctx context.Context, c *github.Client) error { _, err := c.RegistrationToken(ctx); return err }
	remove := func(id int64) func(context.Context, *github.Client) error {
		return func(ctx context.Context, c *github.Client) error { return c.DeleteRunner(ctx, id) }
	}
	header := func(words ...string) http.Header {
		h := http.Header{}
		for i := 0; i < len(words); i += 2 {
			h.Set(words[i], words[i+1])
		}
		return h
	}
	written := time.Now() // the dates below; some tests wait for their turn
	inAnHour := strconv.FormatInt(written.Add(time.Hour).Unix(), 10)
	for _, c := range []struct {
		name    string
		prepare func(*githubtest.Server)
		fault   githubtest.Fault
		token   func(*githubtest.Server) string
		do      func(context.Context, *github.Client) error
		want    string
		status  int
		says    string
		reset   time.Duration
	}{
		{name: "wrong token", token: func(*githubtest.Server) string { return "ghp_wrong" }, do: list, want: "unauthorized", status: 401, says: "Bad credentials"},
		{name: "weak token", token: func(s *githubtest.Server) string { return s.AddWeakToken(slug) }, do: mint, want: "forbidden", status: 403, says: "Must have admin rights to Repository. (the token has read:org, workflow; it needs admin:org)"},
		{name: "token of others", token: func(s *githubtest.Server) string { return s.AddToken("somebody-else") }, do: mint, want: "not found", status: 404, says: "or hidden"},
		{name: "busy", prepare: func(s *githubtest.Server) { s.AddRunner(slug, githubtest.Runner{ID: 7, Name: "web-1", Busy: true}) }, do: remove(7), want: "busy", status: 422, says: "running a job"},
		{name: "invalid", fault: githubtest.Fault{Status: 422}, do: remove(7), want: "unprocessable", status: 422, says: "Unprocessable Entity"},
		{name: "conflict", fault: githubtest.Fault{Status: 409}, do: mint, want: "conflict", status: 409},
		{name: "limit with Retry-After", fault: githubtest.Fault{Status: 429, Header: header("Retry-After", "120")}, do: list, want: "rate limited", status: 429, reset: 2 * time.Minute},
		{name: "limit with a date", fault: githubtest.Fault{Status: 403, Header: header("Retry-After", written.Add(2*time.Hour).UTC().Format(http.TimeFormat))}, do: list, want: "rate limited", status: 403, reset: 2 * time.Hour},
		{name: "limit without a word", fault: githubtest.Fault{Status: 429}, do: list, want: "rate limited", status: 429, reset: time.Minute},
		{name: "primary limit", fault: githubtest.Fault{Status: 403, Header: header("X-RateLimit-Remaining", "0", "X-RateLimit-Reset", inAnHour)}, do: mint, want: "rate limited", status: 403, reset: time.Hour},
		{name: "server", fault: githubtest.Fault{Status: 501}, do: list, want: "server", status: 501},
		{name: "refusal that is not JSON", fault: githubtest.Fault{Status: 400, NotJSON: true}, do: list, want: "", status: 400, says: "Unicorn!"},
		{name: "refusal without a word", fault: githubtest.Fault{Status: 400, NotJSON: true, Body: "no"}, do: list, want: "", status: 400, says: "Bad Request"},
		{name: "secondary limit in words alone", fault: githubtest.Fault{Status: 403, Body: `{"message":"You have exceeded a secondary rate limit."}`}, do: list, want: "rate limited", status: 403, reset: time.Minute},
		{name: "secondary limit by its old name", fault: githubtest.Fault{Status: 403, Body: `{"message":"You have triggered an abuse detection mechanism. Please wait a few minutes before you try again."}`}, do: list, want: "rate limited", status: 403, reset: time.Minute},
		{name: "primary limit in words alone", fault: githubtest.Fault{Status: 403, Body: `{"message":"API rate limit exceeded for user ID 1."}`}, do: list, want: "rate limited", status: 403, reset: time.Minute},
		{name: "page instead of JSON", fault: githubtest.Fault{NotJSON: true}, do: list, want: "not GitHub", says: `a page titled "Unicorn!"`},
		{name: "JSON of another kind", fault: githubtest.Fault{Status: 200, Body: `[1,2]`}, do: list, want: "not GitHub"},
		{name: "another success", fault: githubtest.Fault{Status: 202}, do: list, want: "not GitHub", says: "unexpected status 202"},
		{name: "success without a token", fault: githubtest.Fault{Status: 201, Body: `{}`}, do: mint, want: "not GitHub", says: "it holds no token"},
		{name: "answer that is cut", fault: githubtest.Fault{CutAfter: 10}, do: list, want: "network", says: "reading the answer"},
		{name: "no answer in time", fault: githubtest.Fault{Delay: time.Hour}, do: list, want: "network", says: "the time that it may take is over"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := simulate(t)
			if c.prepare != nil {
				c.prepare(server)
			}
			if !isZero(c.fault) {
				server.Fault(c.fault)
			}
			token := server.Token()
			if c.token != nil {
				token = c.token(server)
			}
			limit := 20 * time.Second
			if c.fault.Delay > 0 {
				limit = 100 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			err := c.do(ctx, newClient(t, server.URL()+"/"+slug, "", token))
			for name, sentinel := range sentinels {
				if errors.Is(err, sentinel) != (name == c.want) {
					t.Errorf("%v: is %s, unlike wanted: %t", err, name, name != c.want)
				}
			}
			if err == nil {
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "organization "+slug) {
				t.Errorf("%v does not say %q", err, c.says)
			}
			if strings.Contains(err.Error(), token) || strings.Contains(err.Error(), "per_page") {
				t.Errorf("%v tells too much", err)
			}
			var refused *github.Error
			if errors.As(err, &refused) != (c.status != 0) {
				t.Fatalf("%v is an answer of GitHub's: %t", err, refused != nil)
			}
			if refused == nil {
				return
			}
			if refused.Status != c.status || refused.Scope.Slug() != slug {
				t.Errorf("status %d of %s", refused.Status, refused.Scope)
			}
			if len(refused.RequestID) < 10 || !strings.Contains(err.Error(), "(request id "+refused.RequestID+")") {
				t.Errorf("%v lacks the request id %q", err, refused.RequestID)
			}
			if off := time.Until(refused.Reset) - c.reset; c.reset == 0 && !refused.Reset.IsZero() || c.reset > 0 && (off < -10*time.Second-time.Since(written) || off > 2*time.Second) {
				t.Errorf("ask again in %v, want in %v", time.Until(refused.Reset), c.reset)
			}
		})
	}
}

// A second token does no harm, so minting one bears with a lost answer.
func TestMintingIsRepeated(t *testing.T) {
	t.Parallel()
	server := simulate(t)
	server.Fault(githubtest.Fault{Method: http.MethodPost, Status: 502, AfterEffect: true, Times: 1})
	token, err := newClient(t, server.URL()+"/"+slug, "", server.Token()).RemoveToken(t.Context())
	if err != nil || token.Value.Empty() || len(server.Requests()) != 2 {
		t.Errorf("%v after %d requests, want a token after 2", err, len(server.Requests()))
	}
}

func isZero(f githubtest.Fault) bool {
	return f.Status == 0 && !f.NotJSON && f.CutAfter == 0 && f.Delay == 0
}

// Whatever leads to another host gets no credential, and is not followed.
func TestRedirectElsewhereIsNotFollowed(t *testing.T) {
	t.Parallel()
	elsewhere := 0
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere++ }))
	for _, status := range []int{301, 302, 307, 308} {
		server := simulate(t)
		server.Fault(githubtest.Fault{Redirect: other.URL + "/api/v3/orgs/octo-org/actions/runners", Status: status})
		c := newClient(t, server.URL()+"/"+slug, "", server.Token())
		if _, err := c.Runners(t.Context(), ""); !errors.Is(err, github.ErrNotGitHub) {
			t.Errorf("%d on a GET: %v", status, err)
		}
		if _, err := c.RegistrationToken(t.Context()); !errors.Is(err, github.ErrNotGitHub) {
			t.Errorf("%d on a POST: %v", status, err)
		}
		if err := c.DeleteRunner(t.Context(), 1); !errors.Is(err, github.ErrNotGitHub) {
			t.Errorf("%d on a DELETE: %v", status, err)
		}
	}
	other.Close()
	if elsewhere != 0 {
		t.Errorf("the other host received %d requests", elsewhere)
	}
}

func TestNetworkErrorNamesTheHostAlone(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0) // it complains about the refused handshake
	server.StartTLS()
	defer server.Close()
	_, err := newClient(t, server.URL+"/"+slug, "", "t").Runners(t.Context(), "web-1")
	pattern := `^listing runners of organization octo-org: GitHub could not be reached: asking 127\.0\.0\.1:\d+: its certificate is not trusted; it was issued by "O=Acme Co"`
	if !errors.Is(err, github.ErrNetwork) || !regexp.MustCompile(pattern).MatchString(err.Error()) || strings.Contains(err.Error(), "web-1") {
		t.Errorf("%v, want %s", err, pattern)
	}
}
