// Package herd shows what a thousand hosts cost that are made runners in the same minute with one credential, and that
// each becomes one under GitHub's rate limits without asking before it was told to. The clock is virtual, so three
// hours take seconds; the table is printed by
//
//	go test -v ./test/herd
package herd

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest/contract"
)

const (
	organization = "octo-org"
	// arrival is the time within which all hosts start, patience what each has.
	arrival  = time.Minute
	patience = 3 * time.Hour
	// affordable is what a host may cost: what is on offer, a look for its name, and a token.
	affordable = 3
	seed       = 20
)

var theContract = sync.OnceValues(contract.New)

// outcome is what became of a herd.
type outcome struct {
	hosts    []*host
	served   []int           // API requests that succeeded, of each host, sorted
	refused  []int           // API requests that a limit refused, likewise
	took     []time.Duration // from a host's own start, sorted
	requests int
	early    int           // requests before the time that was told
	virtual  time.Duration // until the last one was registered
	realTime time.Duration
}

// The limits are GitHub's, the hosts come within a minute, and every one of them becomes a runner.
func TestHerd(t *testing.T) {
	sizes := []int{10, 100, 1000}
	if testing.Short() {
		sizes = sizes[:2]
	}
	var all []*outcome
	for _, size := range sizes {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			// Read outside of the bubble: other tests share it.
			held, err := theContract()
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			var seen *outcome
			synctest.Test(t, func(t *testing.T) { seen = stampede(t, held, size) })
			seen.realTime = time.Since(began)
			all = append(all, seen)
		})
	}
	if len(all) == len(sizes) {
		t.Log(all[len(all)-1].table())
		t.Log(compared(all))
	}
}

// stampede lets so many hosts loose on one server, and checks that all arrive as they should.
func stampede(t *testing.T, held *contract.Contract, size int) *outcome {
	t.Helper()
	server, pipes := limitedGitHub(t, held)
	scope, err := github.ParseScope(server.URL()+"/"+organization, server.APIURL())
	if err != nil {
		t.Fatal(err)
	}
	out := &outcome{hosts: make([]*host, size)}
	dir := t.TempDir()
	// An account for jobs must be able to get there, or planning for root refuses.
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	dice := rand.New(rand.NewPCG(seed, uint64(size)))
	began := time.Now()
	var herd sync.WaitGroup
	for i := range out.hosts {
		h := newHost(t, fmt.Sprintf("host-%d", i), filepath.Join(dir, fmt.Sprint(i)), scope, server, pipes)
		out.hosts[i] = h
		wait := time.Duration(dice.Int64N(int64(arrival)))
		herd.Go(func() {
			time.Sleep(wait)
			h.bootstrap(t.Context())
		})
	}
	herd.Wait()
	out.virtual = time.Since(began)
	out.count(server)
	out.check(t, server)
	return out
}

// limitedGitHub is a server with GitHub's limits, held to GitHub's description, that takes its time to answer.
func limitedGitHub(t *testing.T, held *contract.Contract) (*githubtest.Server, *githubtest.Pipes) {
	t.Helper()
	platform, err := download.Host()
	if err != nil {
		t.Skip(err)
	}
	archive, err := githubtest.NewArchive(githubtest.ArchiveSpec{Platform: platform.String(), Version: version})
	if err != nil {
		t.Fatal(err)
	}
	pipes, limits := githubtest.NewPipes("127.0.0.1"), githubtest.GitHubLimits()
	var server *githubtest.Server
	server, err = githubtest.Start(githubtest.Config{
		API: pipes, Archives: githubtest.NewPipes("archives.test"), Archive: archive, Limits: &limits,
		Wrap: func(next http.Handler) http.Handler { return held.Wrap(next, func(err error) { server.Report(err) }) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	for path, delay := range map[string]time.Duration{
		"/orgs/*/actions/runners/downloads":          50 * time.Millisecond,
		"/orgs/*/actions/runners":                    100 * time.Millisecond,
		"/orgs/*/actions/runners/registration-token": 150 * time.Millisecond,
	} {
		server.Fault(githubtest.Fault{Path: path, Delay: delay})
	}
	return server, pipes
}

// count reads from the server's side what each host did.
func (o *outcome) count(server *githubtest.Server) {
	served, refused := map[string]int{}, map[string]int{}
	for _, request := range server.Requests() {
		if request.Root != "github" {
			continue
		}
		o.requests++
		if request.Status < http.StatusBadRequest {
			served[request.UserAgent]++
		} else {
			refused[request.UserAgent]++
		}
	}
	for _, h := range o.hosts {
		o.served = append(o.served, served[h.agent()])
		o.refused = append(o.refused, refused[h.agent()])
		o.took = append(o.took, h.took)
	}
	slices.Sort(o.served)
	slices.Sort(o.refused)
	slices.Sort(o.took)
}

// check fails unless every host is a runner, none was impatient, and none cost too much.
func (o *outcome) check(t *testing.T, server *githubtest.Server) {
	t.Helper()
	for i, problem := range server.Problems() {
		if errors.Is(problem, githubtest.ErrTooEarly) {
			o.early++
		}
		if i < 3 {
			t.Errorf("problem: %v", problem)
		}
	}
	listed := map[string]bool{}
	for _, runner := range server.Runners(organization) {
		listed[runner.Name] = true
	}
	absent := 0
	for _, h := range o.hosts {
		if h.err != nil || !listed[h.name] {
			if absent++; absent <= 3 {
				t.Errorf("%s is no runner: listed %t, after %v: %v", h.name, listed[h.name], h.took, h.err)
			}
		}
	}
	if absent > 0 || len(listed) != len(o.hosts) {
		t.Errorf("%d of %d hosts are no runner; %d are listed", absent, len(o.hosts), len(listed))
	}
	if most := o.served[len(o.served)-1]; most > affordable {
		t.Errorf("a host cost %d API requests, want at most %d", most, affordable)
	}
	if refused := sum(o.refused); len(o.hosts) > githubtest.GitHubLimits().Creating && refused == 0 {
		t.Error("no request was refused: the limits were not in force")
	}
	if o.early > 0 {
		t.Errorf("%d requests came before the time that was told", o.early)
	}
}
