//go:build e2e && linux

package e2e_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/machine"
	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/stage"
)

// dotnet is a real .NET program, as the runner is one and our simulated listener is not. It prints its version.
const dotnet = "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1 /opt/dotnet/azmcp --version"

// dotnetFirst takes the listener's place: the .NET program runs with what the listener is started with, and only if it
// starts does the simulated listener go on in the same process.
const dotnetFirst = "#!/bin/sh\n" + dotnet + " || exit\nexec \"${0%/*}/Runner.Simulated\" \"$@\"\n"

// confinement is one way in which a listener and its jobs are confined.
type confinement struct {
	name    string
	options []string
}

func confinements() []confinement {
	return []confinement{
		{"default", nil},
		{"docker", []string{"--allow", "docker"}},
		{"sudo", []string{"--allow", "sudo"}},
		{"sudo and docker", []string{"--allow", "sudo,docker"}},
		{"all", []string{"--allow", "all"}},
		{"ephemeral", []string{"--ephemeral"}},
		{"just in time", []string{"--jit"}},
		{"no service", []string{"--no-service"}},
	}
}

// TestDotNet has a real .NET program in the listener's place and in a job, in every way in which these are confined.
func TestDotNet(t *testing.T) {
	t.Parallel()
	listener := stage.Listener(t, t.TempDir())
	built := machine.Build(t, "cmd/runner-bootstrap")
	layer := machine.DotNet(t)
	for _, o := range []machine.Options{{Kind: machine.Debian12}, {Kind: machine.Debian13Build, Cgroup2: true}} {
		t.Run(o.Kind, func(t *testing.T) {
			t.Parallel()
			o.Copy = map[string]string{built: program}
			o.Layers = []string{layer}
			m := machine.Boot(t, o)
			h := &host{Machine: m, server: stage.Serve(t, m, githubtest.ArchiveSpec{Version: "2.337.0", Listener: listener, First: dotnetFirst})}
			m.Write(token, h.server.Token()+"\n", 0o600)
			for _, c := range confinements() {
				t.Run(c.name, func(t *testing.T) {
					(&host{Machine: m.For(t), server: h.server}).runsDotNet(t, c, o.Kind == machine.Debian13Build)
				})
			}
		})
	}
}

// runsDotNet installs a runner, which starts a .NET program in the listener's place, has it run another as a job, and
// then what a job with a container asks for.
func (h *host) runsDotNet(t *testing.T, c confinement, tools bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	install := []string{program, "install", "--url", h.server.URL() + "/octo-org", "--name", name, "--token-file", token}
	defer h.Run(t.Context(), program, "uninstall", "--force", "--token-file", token)
	if r := h.Run(ctx, append(install, c.options...)...); r.Code != 0 {
		t.Fatalf("install: %s\n%s", r, tail(h.Journal()))
	}
	if slices.Contains(c.options, "--no-service") {
		h.Must("systemd-run", "--collect", "--unit=by-hand", program, "run", "--name", name)
		defer h.Must("systemctl", "stop", "by-hand")
	}
	job := h.server.QueueJob(name, githubtest.Job{Name: "dotnet", Script: dotnet})
	conclusion, err := job.Wait(ctx)
	if err != nil || conclusion != "succeeded" || !strings.HasPrefix(job.Output(), "0.5.0") {
		t.Errorf("the job %s: %v\n%s\n%s", conclusion, err, job.Output(), tail(h.Journal()))
	}
	if tools {
		job = h.server.QueueJob(name, githubtest.Job{Name: "tools", Script: toolsScript})
		if conclusion, err := job.Wait(ctx); err != nil || conclusion != "succeeded" || !strings.Contains(job.Output(), "all is well") {
			t.Errorf("the job with tools %s: %v\n%s", conclusion, err, job.Output())
		}
	}
	const want = "succeeded"
	job = h.server.QueueJob(name, githubtest.Job{Name: "container", Script: "true", Container: true})
	if conclusion, err := job.Wait(ctx); err != nil || conclusion != want {
		t.Errorf("the job with a container %s, want %s: %v\n%s", conclusion, want, err, job.Output())
	}
}

// toolsScript runs what jobs use, each with what of it a sandbox may refuse: threads, processes, files that are mapped, code
// made at run time, priorities and processors of its own.
const toolsScript = `set -eu
cd "$(mktemp -d)"
node -e 'new (require("worker_threads").Worker)("1", {eval: true}); require("os").setPriority(10); require("child_process").execSync("true")'
git init --quiet tree && cd tree && git -c user.name=a -c user.email=a@example.com commit --quiet --allow-empty --message one
git gc --quiet && git worktree add --quiet ../other -b other && cd ..
python3 -c 'import multiprocessing as m, os; print(m.Pool(2).map(abs, [-1, 2])); os.sched_setaffinity(0, [0]); os.nice(3)'
echo 'int main(void) { return 0; }' >a.c
gcc a.c -o plain && ./plain
gcc -fsanitize=address,undefined a.c -o address && ./address
gcc -fsanitize=thread a.c -o thread && ./thread
unshare --user --map-root-user --mount --pid --fork true
taskset --cpu-list 0 ionice --class idle nice chrt --batch 0 true
echo all is well
`

// tail is the end of a long text.
func tail(text string) string {
	lines := strings.Split(text, "\n")
	return strings.Join(lines[max(0, len(lines)-40):], "\n")
}
