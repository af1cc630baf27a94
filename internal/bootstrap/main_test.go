//go:build unix

package bootstrap_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/bootstrap"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/jail"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
	"github.com/runner-bootstrap/runner-bootstrap/internal/transport"
)

const (
	version      = "2.337.0"
	organization = "octo-org"
	runnerName   = "web-1"
	serviceName  = "actions.runner.octo-org.web-1"
	// jobAccount runs the jobs when the tests run as root: every system has it.
	jobAccount = "nobody"
	broughtID  = 77
)

// built is an archive of a runner, and a cache that holds it.
type built struct {
	archive *githubtest.Archive
	file    string // the archive's
	cache   string
}

var (
	// plain is what most tests install: its listener is a script that does nothing, which is unpacked at once. It is set
	// before any test runs.
	plain built
	// still is the same for tests whose clock stands still, one of which runs at a time: none of them may wait for a lock.
	still   built
	bubbles sync.Mutex
	// whole has the simulated listener, so that its config.sh works. It is built for the first test that wants it.
	whole func() (built, error)
)

func TestMain(m *testing.M) {
	if code, first := jail.First(os.Args); first {
		os.Exit(code)
	}
	if state := os.Getenv(holdVariable); state != "" {
		if err := holdRunner(state); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	dir, err := os.MkdirTemp("", "bootstrap-")
	code := 1
	if err == nil {
		plain, err = build(filepath.Join(dir, "plain"), "")
	}
	if err == nil {
		still, err = build(filepath.Join(dir, "still"), "")
	}
	whole = sync.OnceValues(func() (built, error) {
		ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
		defer cancel()
		listener, err := githubtest.BuildListener(ctx, dir, runtime.GOOS, runtime.GOARCH)
		if err != nil {
			return built{}, err
		}
		return build(filepath.Join(dir, "whole"), listener)
	})
	if err == nil { // most of a test is waiting, for the disk and for programs that it starts; the command line has the last word
		err = flag.Set("test.parallel", strconv.Itoa(3*runtime.GOMAXPROCS(0)))
	}
	if flag.Parse(); err == nil {
		begin := sync.WaitGroup{}
		if flag.Lookup("test.run").Value.String() == "" {
			begin.Go(func() { _, _ = whole() }) // the first test that wants it hears of a failure
		}
		code = m.Run()
		begin.Wait()
		err = roomsLeft(filepath.Join(dir, "*", "cache"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// roomsLeft fails if a room is left beside one of the caches when all tests are over.
func roomsLeft(caches string) error {
	left, err := filepath.Glob(filepath.Join(register.RoomsOf(caches, "")[0], "[0-9]*"))
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("rooms are left: %q", left)
	}
	return err
}

// build packs an archive in a new folder and fills a cache with it.
func build(dir, listener string) (b built, err error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return b, err
	}
	platform, err := download.Host()
	if err != nil {
		return b, err
	}
	b.archive, err = githubtest.NewArchive(githubtest.ArchiveSpec{Platform: platform.String(), Version: version, Listener: listener, Dir: dir})
	if err != nil {
		return b, err
	}
	b.file, b.cache = filepath.Join(dir, b.archive.Filename), filepath.Join(dir, "cache")
	fetcher := &download.Fetcher{Cache: download.Cache{Dir: b.cache, Volatile: true}}
	_, _, err = fetcher.Ensure(context.Background(), download.Asset{
		Platform: platform, Version: version, Filename: b.archive.Filename, SHA256: b.archive.SHA256, File: b.file,
	}, func(int64, int64) {})
	return b, err
}

// world is a host, its service manager and what it says.
type world struct {
	t       *testing.T
	base    string
	host    *bootstrap.Host
	store   *instance.Store
	manager *fakeServices
	server  *githubtest.Server // nil: there is no GitHub
	scope   github.Scope
	log     *text
	phases  *phases
}

// newWorld is a host away from GitHub. Nothing on it knows of another test's.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, base: openDir(t), log: &text{}}
	paths := instance.DefaultPaths(filepath.Join(w.base, "rb"))
	paths.Cache = plain.cache
	w.store = instance.NewStore(paths.State)
	w.phases = &phases{}
	w.manager = &fakeServices{t: t, store: w.store, units: map[string]*unit{}}
	t.Cleanup(w.manager.end)
	scope, err := github.ParseScope("https://ghes.example.com/"+organization, "")
	if err != nil {
		t.Fatal(err)
	}
	w.scope = scope
	w.host = &bootstrap.Host{
		Paths: paths, Store: w.store, Private: true, Observer: w.phases, Services: w.manager,
		Log:        slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Fetcher:    &download.Fetcher{Cache: download.Cache{Dir: paths.Cache, Volatile: true}},
		Executable: "/usr/local/bin/runner-bootstrap", Arguments: []string{"--dir", filepath.Dir(paths.State)},
		Anonymous: func(scope github.Scope) *github.Client {
			return github.NewClient(nil, scope, github.Static(secret.Secret{})) // nothing may be asked of it
		},
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log:\n%s", w.log)
		}
	})
	return w
}

// openDir is a folder that the account of jobs can get to.
func openDir(t *testing.T) string {
	t.Helper()
	base := t.TempDir()
	for dir := base; account.Privileged() && len(dir) > len(os.TempDir()); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return base
}

// withRunner puts a GitHub into the world, and a runner with a config.sh that works: it takes half a second for a key.
func (w *world) withRunner() *world {
	w.t.Helper()
	runner, err := whole()
	if err != nil {
		w.t.Fatal(err)
	}
	w.host.Paths.Cache = runner.cache
	w.host.Fetcher.Cache.Dir = runner.cache
	return w.offering(runner.archive)
}

// withGitHub puts a GitHub into the world. No runner can join it by its config.sh.
func (w *world) withGitHub() *world { return w.offering(plain.archive) }

// offering puts a GitHub into the world that offers a runner, with a credential that may do everything.
func (w *world) offering(archive *githubtest.Archive) *world {
	w.t.Helper()
	server, err := githubtest.Start(githubtest.Config{Archive: archive})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		for _, problem := range server.Problems() {
			w.t.Errorf("GitHub: %v", problem)
		}
		if err := server.Close(); err != nil {
			w.t.Error(err)
		}
	})
	w.server = server
	if w.scope, err = github.ParseScope(server.URL()+"/"+organization, server.APIURL()); err != nil {
		w.t.Fatal(err)
	}
	web := transport.NewAPI(transport.Config{UserAgent: "test"})
	with := func(secret secret.Secret) func(github.Scope) *github.Client {
		return func(scope github.Scope) *github.Client { return github.NewClient(web, scope, github.Static(secret)) }
	}
	w.host.Connect, w.host.Anonymous = with(secret.New(server.Token())), with(secret.Secret{})
	w.host.Fetcher.Client = transport.NewDownload(transport.Config{UserAgent: "test"})
	return w
}

// request wants a runner with a service, which joins by its config.sh.
func (w *world) request() plan.Request {
	r := plan.Request{Scope: w.scope, Template: runnerName, Service: true}
	if account.Privileged() {
		r.User = jobAccount
	}
	return r
}

// byConfig wants one that joins by a just-in-time configuration, which GitHub is asked for.
func (w *world) byConfig() plan.Request {
	r := w.request()
	r.Identity.JIT, r.Life.MaxJobs = true, 1
	return r
}

// brought wants one by a registration that was made elsewhere: neither GitHub nor config.sh has a part in it.
func (w *world) brought() plan.Request {
	r := w.request()
	config := w.jit(runnerName, broughtID, nil)
	r.JIT, r.Source = &config, download.Source{Version: version}
	return r
}

// atGitHub wants one that GitHub lists already.
func (w *world) atGitHub() plan.Request {
	r := w.brought()
	id := w.server.AddRunner(organization, githubtest.Runner{Name: runnerName, Status: "offline", Ephemeral: true}).ID
	config := w.jit(runnerName, id, nil)
	r.JIT = &config
	return r
}

// jit is a just-in-time configuration.
func (w *world) jit(name string, id int64, more map[string]string) register.JITConfig {
	w.t.Helper()
	settings := map[string]string{"AgentId": fmt.Sprint(id), "AgentName": name, "Ephemeral": "true", "ServerUrl": w.scope.Server() + "/_services"}
	for key, value := range more {
		settings[key] = value
	}
	text, err := json.Marshal(settings)
	if err != nil {
		w.t.Fatal(err)
	}
	files, err := json.Marshal(map[string]string{
		".runner":      base64.StdEncoding.EncodeToString(text),
		".credentials": base64.StdEncoding.EncodeToString([]byte(`{"Scheme":"OAuth"}`)),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	config, err := register.ParseJITConfig(secret.New(base64.StdEncoding.EncodeToString(files)))
	if err != nil {
		w.t.Fatal(err)
	}
	return config
}

// keep has another registration kept of the runner.
func (w *world) keep(settings string) {
	w.t.Helper()
	files := map[string][]byte{".runner": []byte(settings), ".credentials": []byte("{}")}
	if err := instance.KeptRegistration(w.store, runnerName).Keep(files); err != nil {
		w.t.Fatal(err)
	}
}

// install does so, and wants it to succeed.
func (w *world) install(r plan.Request) *plan.Plan {
	w.t.Helper()
	w.phases.reset()
	made, err := w.host.Install(w.t.Context(), r)
	if err != nil {
		w.t.Fatalf("install: %v", err)
	}
	return made
}

// refused does so, and wants it to fail for a reason and to say that.
func (w *world) refused(r plan.Request, reason error, words ...string) error {
	w.t.Helper()
	w.phases.reset()
	_, err := w.host.Install(w.t.Context(), r)
	expect(w.t, err, reason, words...)
	return err
}

// expect wants an error for a reason, which says that.
func expect(t *testing.T, err, reason error, words ...string) {
	t.Helper()
	if err == nil || reason != nil && !errors.Is(err, reason) {
		t.Errorf("error %v, want %v", err, reason)
		return
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %q does not say %q", err, word)
		}
	}
}

// record is what is remembered of the runner.
func (w *world) record() instance.Record {
	w.t.Helper()
	record, err := w.store.Load(runnerName)
	if err != nil {
		w.t.Fatal(err)
	}
	return record
}

// root is the runner's directory, and what is in it.
func (w *world) root(names ...string) string {
	return filepath.Join(append([]string{w.host.Paths.Root(runnerName)}, names...)...)
}

// forgotten wants nothing of the runner to be left.
func (w *world) forgotten() {
	w.t.Helper()
	if records, err := w.store.List(); err != nil || len(records) > 0 {
		w.t.Errorf("records %v, error %v", records, err)
	}
	if _, err := os.Lstat(w.root()); !errors.Is(err, os.ErrNotExist) {
		w.t.Errorf("the runner's directory is left: %v", err)
	}
}

// says wants these words in the log.
func (w *world) says(words ...string) {
	w.t.Helper()
	for _, word := range words {
		if !strings.Contains(w.log.String(), word) {
			w.t.Errorf("the log does not say %q", word)
		}
	}
}

// write makes a file of the test's.
func (w *world) write(name, content string) string {
	w.t.Helper()
	path := filepath.Join(w.base, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		w.t.Fatal(err)
	}
	return path
}
