package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
)

// stockShell and stockService are the stock service. Its own words are GitHub's,
// these are ours.
var (
	//go:embed testdata/stock/runsvc.sh
	stockShell []byte
	//go:embed testdata/stock/service.js
	stockService []byte
)

const (
	listenerSource = "github.com/runner-bootstrap/runner-bootstrap/test/bench/testdata/listener"
	stagedRunner   = "bench-1"
	startedPipe    = "started" // in a runner's folder; the listener writes to it
	// jobAccount is who listeners run as if this program is root's: every system has it.
	jobAccount = "nobody"
)

// stage is where listeners are kept running: a runner that was installed, and
// those of the stock service that are laid out by hand, each in its own folder.
type stage struct {
	dir     string
	product product
	account *user.User // that listeners run as; nil is ours
}

// openStage takes dir, which every account can enter.
func openStage(dir string, p product) (s *stage, err error) {
	s = &stage{dir: dir, product: p}
	if os.Geteuid() == 0 {
		s.account, err = user.Lookup(jobAccount)
	}
	return s, err
}

func (s *stage) host() string { return filepath.Join(s.dir, "host") }

// environment is nearly none, as a service's.
func (s *stage) environment() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "LANG=C.UTF-8"}
}

// make makes the runners of the chosen sides in the stage's folder, which is empty,
// with the listener that tells when it is started. After a failure some of it is left.
func (s *stage) make(ctx context.Context, chosen []string, f *fixture) (sides []side, err error) {
	listener := filepath.Join(s.dir, "listener")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", listener, listenerSource)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	ownGroup(build)
	if text, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building the listener: %w: %s", err, text)
	}
	for _, k := range s.sides() {
		if !slices.Contains(chosen, k.name) {
			continue
		}
		lay := s.install
		if k.node != "" {
			lay = func(ctx context.Context) error { return layStock(ctx, k, f) }
		}
		if err := lay(ctx); err != nil {
			return nil, fmt.Errorf("making the runner of %q: %w", k.name, err)
		}
		if err := exchangeListener(listener, k.root); err != nil {
			return nil, fmt.Errorf("exchanging the listener of %q: %w", k.name, err)
		}
		sides = append(sides, k)
	}
	return sides, nil
}

// install lets the program install a runner from a simulated GitHub, which a
// listener that only tells the time does not need afterwards.
func (s *stage) install(ctx context.Context) (err error) {
	listener, err := githubtest.BuildListener(ctx, s.dir, runtime.GOOS, runtime.GOARCH)
	if err != nil {
		return err
	}
	platform, err := download.Host()
	if err != nil {
		return err
	}
	archive, err := githubtest.NewArchive(githubtest.ArchiveSpec{Platform: platform.String(), Version: version, Listener: listener})
	if err != nil {
		return err
	}
	server, err := githubtest.Start(githubtest.Config{Archive: archive})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	token := filepath.Join(s.dir, "token")
	if err := os.WriteFile(token, []byte(server.Token()), 0o600); err != nil {
		return err
	}
	words := []string{
		"install", "--dir", s.host(), "--url", server.URL() + "/octo-org", "--name", stagedRunner,
		"--token-file", token, "--no-service", "--no-progress",
	}
	if s.account != nil {
		words = append(words, "--user", s.account.Username)
	}
	printed := &tail{}
	c := exec.CommandContext(ctx, s.product.path, words...)
	c.Env, c.Stdout, c.Stderr = s.environment(), printed, printed
	ownGroup(c)
	if err := c.Run(); err != nil {
		return fmt.Errorf("running %q: %w: %s", words, err, printed)
	}
	return nil
}

// layStock makes a runner that the stock service keeps, with real Node.js.
func layStock(ctx context.Context, k side, f *fixture) error {
	bin := filepath.Join(k.root, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return err
	}
	err := errors.Join(
		os.WriteFile(filepath.Join(k.root, "runsvc.sh"), stockShell, 0o755),
		os.WriteFile(filepath.Join(bin, "service.js"), stockService, 0o644),
		os.WriteFile(filepath.Join(k.root, ".path"), []byte(os.Getenv("PATH")), 0o644), // as config.sh does
	)
	if err != nil {
		return err
	}
	// It stops at the file that it was asked for.
	return tool(ctx, "tar", "-xzf", f.Tar.Path, "-C", k.root, "--occurrence=1", "--no-same-owner",
		"./externals/"+k.node+"/bin/node")
}

// exchangeListener puts a listener into the runner in root, and the pipe that it
// writes to.
func exchangeListener(listener, root string) error {
	program, err := os.ReadFile(listener)
	if err != nil {
		return err
	}
	target := filepath.Join(root, "bin", "Runner.Listener")
	if err := os.Remove(target); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err // the same file may be in a cache, so it is not written to
	}
	//nolint:gosec // a program is to be run
	return errors.Join(os.WriteFile(target, program, 0o755), makePipe(filepath.Join(root, startedPipe)))
}

// side is one way to keep a listener running.
type side struct {
	name    string
	root    string // the runner's
	node    string // that the stock service starts; empty: it is not stock
	command []string
}

func (s *stage) sides() []side {
	stock := func(name, node string) side {
		return side{name: name, node: node, root: filepath.Join(s.dir, name), command: []string{"./runsvc.sh", node}}
	}
	return []side{
		{
			name: ourUpkeep, root: filepath.Join(s.host(), "runners", stagedRunner),
			command: []string{s.product.path, "run", "--name", stagedRunner, "--dir", s.host()},
		},
		stock(stockUpkeep, "node20"),
		stock(nextUpkeep, "node24"),
	}
}

// become makes the command of a side run as who starts it: our service is root's,
// the stock one the account's that jobs run as.
func (s *stage) become(c *exec.Cmd, k side) error {
	if s.account == nil || k.node == "" {
		return nil
	}
	uid, err := strconv.ParseUint(s.account.Uid, 10, 32)
	if err != nil {
		return err
	}
	gid, err := strconv.ParseUint(s.account.Gid, 10, 32)
	if err != nil {
		return err
	}
	runAs(c, uint32(uid), uint32(gid))
	return nil
}
