package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest/contract"
)

// performed collects what the simulators of several scopes were asked for.
type performed struct {
	mu         sync.Mutex
	operations map[string]bool
}

// TestEveryOperationByTheProgram drives each operation of GitHub's descriptions by
// the compiled program, in each kind of scope and at both roots. The simulator
// holds both directions to the descriptions meanwhile.
func TestEveryOperationByTheProgram(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("many starts of the program, one request at a time")
	}
	common := newShared(t)
	seen := &performed{operations: map[string]bool{}}
	t.Run("drive", func(t *testing.T) {
		for _, scope := range []string{"octo-org", "octo-org/hello", "enterprises/octo"} {
			for _, root := range []string{"ghes", "github"} {
				t.Run(root+" "+strings.ReplaceAll(scope, "/", " "), func(t *testing.T) {
					t.Parallel()
					driveOperations(t, common, seen, root, scope)
				})
			}
		}
	})
	all, err := contract.Operations()
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range contract.Uncovered(all, seen.operations, contract.NotNeeded()) {
		t.Error(problem)
	}
}

// TestReadmeOperations types the commands of the table of the reference, for an organization
// and for a repository, and looks that each does what its row says.
func TestReadmeOperations(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("many starts of the program, one request at a time")
	}
	text, err := os.ReadFile("../../docs/reference/github-operations.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| [^|]+ \\| `([A-Z]+) ([^`]+)` \\| `runner-bootstrap ([^`]+) --url URL` \\|$").FindAllStringSubmatch(string(text), -1)
	if len(rows) != 12 {
		t.Fatalf("the table has %d operations", len(rows))
	}
	common := newShared(t)
	for scope, base := range map[string]string{"octo-org": "/orgs/{org}/actions/", "octo-org/hello": "/repos/{owner}/{repo}/actions/"} {
		for _, row := range rows {
			t.Run(strings.ReplaceAll(scope, "/", " ")+" "+row[3], func(t *testing.T) {
				t.Parallel()
				d := newDriver(t, common, "ghes", scope)
				d.world.server.AddRunner(scope, githubtest.Runner{Name: "web-1", Status: "offline", Labels: []githubtest.Label{{Name: "gpu", Type: "custom"}}})
				id := strconv.FormatInt(d.world.server.Runners(scope)[0].ID, 10)
				line := strings.NewReplacer("RUNNER", id, "LABEL...", "gpu", "NAME", "job-1").Replace(row[3])
				d.run(strings.Fields(line), d.token)
				operations, err := common.contract.Driven(t.Context(), d.world.server)
				if want := "ghes " + row[1] + " " + base + row[2]; err != nil || !slices.Contains(operations, want) {
					t.Errorf("%s did %q, %v, want %q", row[3], operations, err, want)
				}
			})
		}
	}
}

func driveOperations(t *testing.T, common *shared, seen *performed, root, scope string) {
	t.Helper()
	d := newDriver(t, common, root, scope)
	id := d.world.server.AddRunner(scope, githubtest.Runner{Name: "web-1", Status: "offline", Version: simulatedVersion}).ID
	for _, line := range []string{
		"runners list", "runners get " + strconv.FormatInt(id, 10), "runners get web-1",
		"labels list web-1", "labels add web-1 gpu big", "labels remove web-1 gpu", "labels set web-1 other", "labels clear web-1",
		"runners delete web-1",
		"downloads", "token registration", "token remove", "jitconfig --name job-1 --labels gpu",
	} {
		d.run(strings.Fields(line), d.token)
	}
	if scope != "octo-org/hello" {
		d.run([]string{"groups", "list"}, d.token)
	}
	// The releases are public. One that is not the latest is found by its tag; the end of
	// a version's life is looked up for what is pinned.
	d.world.server.SetPublished("2.338.0", time.Now().Add(-72*time.Hour))
	if err := simOffer(d.world, nil, []string{"2.338.0"}); err != nil {
		t.Fatal(err)
	}
	d.run([]string{"prepare", "--api-url", d.api, "--runner-version", simulatedVersion}, nil)
	d.run([]string{"prepare", "--api-url", d.api}, nil)
	d.run([]string{"install", "--dry-run", "--name", "web-2", "--no-service", "--runner-version", simulatedVersion}, d.token)
	if !strings.HasPrefix(scope, "enterprises/") {
		d.asApp(scope)
	}
	operations, err := common.contract.Driven(t.Context(), d.world.server)
	if err != nil {
		t.Error(err)
	}
	for _, request := range d.world.server.Requests() {
		if request.Root != root && request.Root != "archive" {
			t.Errorf("%s %s was asked at %s", request.Method, request.Path, request.Root)
		}
	}
	seen.mu.Lock()
	defer seen.mu.Unlock()
	for _, operation := range operations {
		seen.operations[operation] = true
	}
}

// driver runs the program against a simulator of its own.
type driver struct {
	t       *testing.T
	world   *world
	program string
	api     string   // the root of the REST API
	scope   []string // the options that say whose runners
	token   []string // the options that say as whom
}

func newDriver(t *testing.T, common *shared, root, scope string) *driver {
	t.Helper()
	program, err := exec.LookPath("runner-bootstrap")
	if err != nil {
		t.Fatal(err)
	}
	host, err := download.Host()
	if err != nil {
		t.Skip("there is no runner for this platform")
	}
	w := &world{shared: common, work: t.TempDir(), fail: t.Errorf, name: t.Name()}
	for dir := w.work; os.Geteuid() == 0 && len(dir) > len(os.TempDir()); dir = filepath.Dir(dir) {
		// The account that runs jobs must be able to enter the folders above its runner.
		if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // it holds nothing but test data
			t.Fatal(err)
		}
	}
	if err := w.start(host.String(), nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.close)
	d := &driver{t: t, world: w, program: program}
	d.api, d.scope = w.server.URL()+"/api/v3", []string{"--url", w.server.URL() + "/" + scope}
	if root == "github" {
		d.api = w.server.APIURL()
		d.scope = []string{"--url", "https://github.com/" + scope, "--api-url", d.api}
	}
	file := filepath.Join(w.work, "token")
	if err := os.WriteFile(file, []byte(w.server.Token()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d.token = []string{"--token-file", file}
	return d
}

// asApp lets a GitHub App ask, which has to find its installation and a token.
func (d *driver) asApp(scope string) {
	d.t.Helper()
	file := filepath.Join(d.world.work, "token-app.pem")
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		d.t.Fatal(err)
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	if err := os.WriteFile(file, block, 0o600); err != nil {
		d.t.Fatal(err)
	}
	d.world.server.AddApp("Iv1.simulated", &key.PublicKey, "octo-org", scope)
	d.run([]string{"runners", "list"}, []string{"--app-id", "Iv1.simulated", "--app-key-file", file})
}

// run runs one command, about the scope unless it names an API of its own.
func (d *driver) run(command, credential []string) {
	d.t.Helper()
	arguments := slices.Concat(command, credential)
	if command[0] != "prepare" {
		arguments = append(arguments, d.scope...)
	}
	ctx, cancel := context.WithTimeout(d.t.Context(), time.Minute)
	defer cancel()
	program := exec.CommandContext(ctx, d.program, arguments...)
	program.Env = []string{"PATH=" + os.Getenv("PATH"), "WORK=" + d.world.work, "HOME=" + d.world.work}
	if command[0] == "prepare" || command[0] == "install" {
		program.Env = append(program.Env, "RUNNER_BOOTSTRAP_DIR="+filepath.Join(d.world.work, "rb"))
	}
	if os.Geteuid() == 0 {
		program.Env = append(program.Env, "RUNNER_BOOTSTRAP_USER="+jobAccount)
	}
	if out, err := program.CombinedOutput(); err != nil {
		d.t.Errorf("%s: %v\n%s", strings.Join(command, " "), errors.Join(err, ctx.Err()), out)
	}
}
