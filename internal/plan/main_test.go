//go:build unix

package plan_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc/systemd"
	"github.com/runner-bootstrap/runner-bootstrap/internal/transport"
)

const (
	version      = "2.337.0"
	organization = "octo-org"
	runnerName   = "web-1"
	serviceName  = "actions.runner.octo-org.web-1"
	runnersPath  = "/orgs/" + organization + "/actions/runners"
	// jobAccount runs the jobs when the tests run as root: every system has it.
	jobAccount = "nobody"
	runnerID   = 77
)

// services is a service manager that says what a test has it say.
type services struct {
	away  error // why no service can be installed
	state svc.State
	err   error // of the state
	apart bool
}

func (s *services) Available() error { return s.away }

func (s *services) JobsApart(context.Context) bool { return s.apart }

func (s *services) State(_ context.Context, unit svc.Unit) (svc.State, error) {
	if _, err := systemd.New(unit); err != nil { // what the real one refuses
		return svc.State{}, err
	}
	return s.state, s.err
}

// world is a host that plans are made for. Nothing on it knows of another test's.
type world struct {
	t        *testing.T
	base     string
	maker    *plan.Maker
	services *services
	server   *githubtest.Server // nil: there is no GitHub
	scope    github.Scope
	log      *bytes.Buffer
}

// newWorld is a host away from GitHub.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, base: openDir(t), services: &services{state: svc.State{Active: svc.Absent}}, log: &bytes.Buffer{}}
	scope, err := github.ParseScope("https://ghes.example.com/"+organization, "")
	mustDo(t, err)
	w.scope = scope
	paths := instance.DefaultPaths(filepath.Join(w.base, "rb"))
	mustDo(t, os.Mkdir(filepath.Dir(paths.State), 0o755))
	w.maker = &plan.Maker{
		Paths: paths, Store: instance.NewStore(paths.State), Cache: download.Cache{Dir: paths.Cache, Volatile: true},
		Log: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})), Services: w.services, Private: true, Cloud: &plan.Cloud{},
		Executable: "/usr/local/bin/runner-bootstrap", Arguments: []string{"--dir", filepath.Dir(paths.State)},
		Anonymous: func(scope github.Scope) *github.Client {
			return github.NewClient(nil, scope, github.Static(secret.Secret{})) // nothing may be asked of it
		},
	}
	return w
}

// openDir is a folder that the account of jobs can get to.
func openDir(t *testing.T) string {
	t.Helper()
	base := t.TempDir()
	for dir := base; account.Privileged() && len(dir) > len(os.TempDir()); dir = filepath.Dir(dir) {
		mustDo(t, os.Chmod(dir, 0o755))
	}
	return base
}

// withGitHub puts a GitHub into the world, which offers a runner, with a credential that may do everything.
func (w *world) withGitHub() *world {
	w.t.Helper()
	platform, err := download.Host()
	mustDo(w.t, err)
	archive, err := githubtest.NewArchive(githubtest.ArchiveSpec{Platform: platform.String(), Version: version})
	mustDo(w.t, err)
	w.server, err = githubtest.Start(githubtest.Config{Archive: archive})
	mustDo(w.t, err)
	w.t.Cleanup(func() {
		for _, problem := range w.server.Problems() {
			w.t.Errorf("GitHub: %v", problem)
		}
		mustDo(w.t, w.server.Close())
	})
	w.scope, err = github.ParseScope(w.server.URL()+"/"+organization, w.server.APIURL())
	mustDo(w.t, err)
	web := transport.NewAPI(transport.Config{UserAgent: "test"})
	with := func(secret secret.Secret) func(github.Scope) *github.Client {
		return func(scope github.Scope) *github.Client { return github.NewClient(web, scope, github.Static(secret)) }
	}
	w.maker.Connect, w.maker.Anonymous = with(secret.New(w.server.Token())), with(secret.Secret{})
	return w
}

// request wants a runner with a service.
func (w *world) request() plan.Request {
	r := plan.Request{Scope: w.scope, Template: runnerName, Service: true}
	if account.Privileged() {
		r.User = jobAccount
	}
	return r
}

// brought wants one by a registration that was made elsewhere, of an archive that is proven by its digest: GitHub has no part in it.
func (w *world) brought() plan.Request {
	r := w.request()
	r.JIT = w.jit(runnerName, runnerID, nil)
	r.Source = download.Source{Version: version, SHA256: strings.Repeat("0", 64), Mirror: "https://mirror.example.com/runners"}
	return r
}

// jit is a just-in-time configuration.
func (w *world) jit(name string, id int64, more map[string]string) *register.JITConfig {
	w.t.Helper()
	settings := map[string]string{"AgentId": fmt.Sprint(id), "AgentName": name, "Ephemeral": "true", "ServerUrl": w.scope.Server() + "/_services"}
	maps.Copy(settings, more)
	text, err := json.Marshal(settings)
	mustDo(w.t, err)
	files, err := json.Marshal(map[string]string{
		".runner":      base64.StdEncoding.EncodeToString(text),
		".credentials": base64.StdEncoding.EncodeToString([]byte(`{"Scheme":"OAuth"}`)),
	})
	mustDo(w.t, err)
	config, err := register.ParseJITConfig(secret.New(base64.StdEncoding.EncodeToString(files)))
	mustDo(w.t, err)
	return &config
}

// installed makes the host one on which a runner was installed, as r wants it, and whose service runs. GitHub lists it, if
// there is one.
func (w *world) installed(r plan.Request) instance.Record {
	w.t.Helper()
	made := w.plan(r)
	record := made.Details.Record
	record.User, record.Phase, record.Identity = made.User, instance.Installed, r.Identity
	record.RunnerID, record.PreRegistered = runnerID, r.JIT != nil
	settings := map[string]any{"agentId": record.RunnerID, "agentName": record.Name, "ephemeral": r.JIT != nil}
	if r.JIT == nil {
		settings["gitHubUrl"] = w.scope.URL()
	}
	if w.server != nil {
		record.RunnerID = w.server.AddRunner(organization, githubtest.Runner{Name: record.Name, Status: "online"}).ID
		settings["agentId"] = record.RunnerID
	}
	if r.Service {
		record.Service = serviceName
		w.services.state = svc.State{Installed: true, Enabled: true, AsDescribed: true, Active: svc.Running, UnitPath: "/units/" + serviceName}
	}
	text, err := json.Marshal(settings)
	mustDo(w.t, err, w.maker.Store.Save(record))
	w.write("rb/runners/"+record.Name+"/bin/Runner.Listener", "")
	w.keep(string(text))
	return record
}

// keep has a registration kept of the runner.
func (w *world) keep(settings string) {
	w.t.Helper()
	files := map[string][]byte{".runner": []byte(settings), ".credentials": []byte(`{"Scheme":"OAuth"}`)}
	mustDo(w.t, instance.KeptRegistration(w.maker.Store, runnerName).Keep(files))
}

// change changes what is remembered of the runner.
func (w *world) change(do func(r *instance.Record)) {
	w.t.Helper()
	_, err := w.maker.Store.Update(w.t.Context(), runnerName, do)
	mustDo(w.t, err)
}

// supervised has an agent hold the runner until the test ends.
func (w *world) supervised() {
	w.t.Helper()
	lock, err := w.maker.Store.LockRunner(w.t.Context(), runnerName)
	mustDo(w.t, err)
	w.t.Cleanup(lock.Release)
}

// make makes a plan, and wants nothing of the host to be another thing after it.
func (w *world) make(r plan.Request) (*plan.Plan, error) {
	w.t.Helper()
	before := w.snapshot()
	made, err := w.maker.Make(w.t.Context(), r)
	if after := w.snapshot(); !maps.Equal(before, after) {
		w.t.Errorf("making a plan has changed the host from %v to %v", before, after)
	}
	return made, err
}

// snapshot is every file of the world with what it is.
func (w *world) snapshot() map[string]string {
	w.t.Helper()
	all := map[string]string{}
	mustDo(w.t, filepath.WalkDir(w.base, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil || !info.Mode().IsRegular() {
			all[path] = info.Mode().String()
			return err
		}
		text, err := os.ReadFile(path)
		all[path] = info.Mode().String() + " " + string(text)
		return err
	}))
	return all
}

// plan makes one, and wants it to be possible.
func (w *world) plan(r plan.Request) *plan.Plan {
	w.t.Helper()
	made, err := w.make(r)
	if err != nil {
		w.t.Fatalf("planning: %v", err)
	}
	return made
}

// refused wants a plan to be refused for a reason, and in these words.
func (w *world) refused(r plan.Request, reason error, words ...string) {
	w.t.Helper()
	made, err := w.make(r)
	if err == nil || made != nil || reason != nil && !errors.Is(err, reason) {
		w.t.Errorf("a plan was made: %v; error %v, want %v", made != nil, err, reason)
		return
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			w.t.Errorf("error %q does not say %q", err, word)
		}
	}
}

// step is what a plan does in a phase: "change OBJECT (REASON)", "keep OBJECT (REASON)", or nothing.
func step(made *plan.Plan, phase plan.Phase) string {
	at := slices.IndexFunc(made.Steps, func(s plan.Step) bool { return s.Phase == phase })
	if at < 0 {
		return ""
	}
	verb := map[bool]string{true: "change", false: "keep"}[made.Steps[at].Change]
	return fmt.Sprintf("%s %s (%s)", verb, made.Steps[at].Object, made.Steps[at].Reason)
}

// wants compares what a plan does in a phase.
func wants(t *testing.T, made *plan.Plan, phase plan.Phase, want string) {
	t.Helper()
	if got := step(made, phase); got != want {
		t.Errorf("phase %s: the plan is to %q, want %q", phase, got, want)
	}
}

// write makes a file of the test's.
func (w *world) write(name, content string) string {
	w.t.Helper()
	path := filepath.Join(w.base, name)
	mustDo(w.t, os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o644))
	return path
}

// root is what is in the runner's directory.
func (w *world) root(names ...string) string {
	return filepath.Join(append([]string{w.maker.Paths.Root(runnerName)}, names...)...)
}

func mustDo(t *testing.T, all ...error) {
	t.Helper()
	if err := errors.Join(all...); err != nil {
		t.Fatal(err)
	}
}
