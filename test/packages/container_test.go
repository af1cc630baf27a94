//go:build e2e && linux

package packages

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/machine"
)

// builder is buildah with a store of its own.
type builder struct{ store []string }

func (b builder) command(t *testing.T, verb string, arguments ...string) *exec.Cmd {
	t.Helper()
	return exec.CommandContext(t.Context(), "buildah", append(append(slices.Clone(b.store), verb), arguments...)...)
}

func (b builder) do(t *testing.T, verb string, arguments ...string) string {
	t.Helper()
	var said bytes.Buffer
	cmd := b.command(t, verb, arguments...)
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("buildah %s %q: %v\n%s%s", verb, arguments, err, out, said.String())
	}
	return strings.TrimSpace(string(out))
}

// container builds the release's Containerfile, on a Debian of this host's making in the place of the one that a registry has,
// and does with the image what the file's own first lines say: a registration into a volume, and then the runner.
func container(t *testing.T, out string) {
	folder := t.TempDir()
	b := builder{[]string{"--root", filepath.Join(folder, "store"), "--runroot", filepath.Join(folder, "run"), "--storage-driver", "vfs"}}
	base := b.do(t, "from", "scratch")
	command(t, "cp", "-a", machine.Tree(t, machine.Debian12)+"/.", b.do(t, "mount", base))
	b.do(t, "commit", "--rm", "--quiet", base, "docker.io/library/debian:bookworm-slim")
	began := time.Now()
	b.do(t, "build", "--isolation", "chroot", "--pull-never", "--quiet", "--tag", "runner-bootstrap", "--file", filepath.Join(out, "Containerfile"), out)
	t.Logf("the image was built in %s", time.Since(began).Round(time.Second))
	made := b.do(t, "from", "--pull-never", "localhost/runner-bootstrap")
	settings := insideImage(t, b, made)

	listener, err := githubtest.BuildListener(t.Context(), t.TempDir(), runtime.GOOS, runtime.GOARCH)
	if err != nil {
		t.Fatal(err)
	}
	server := simulated(t, listener)
	volume := t.TempDir()
	if err := os.Chown(volume, 1001, 1001); err != nil { // as a new volume takes it from the image
		t.Fatal(err)
	}
	start := func(entry []string, words ...string) *exec.Cmd {
		words = append(append([]string{
			"--isolation", "chroot", "--volume", volume + ":/runner", "--env", "RUNNER_BOOTSTRAP_TOKEN=" + server.Token(), made, "--",
		}, entry...), words...)
		return b.command(t, "run", words...)
	}
	if said, err := start([]string{"runner-bootstrap"}, "install", "--url", server.URL()+"/octo-org", "--no-service", "--name", runner).CombinedOutput(); err != nil {
		t.Fatalf("registering: %v\n%s", err, said)
	}
	var said bytes.Buffer
	running := start(settings.Entrypoint)
	running.Stdout, running.Stderr = &said, &said
	if err := running.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- running.Wait() }()
	job := server.QueueJob(runner, githubtest.Job{Name: "in a container", Script: "id -un; pwd; git --version"})
	waiting, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if conclusion, err := job.Wait(waiting); err != nil || conclusion != "succeeded" || !strings.HasPrefix(job.Output(), "runner\n/runner/") {
		t.Errorf("the job %s: %v\n%s\nthe container says\n%s", conclusion, err, job.Output(), said.String())
	}
	// buildah gives no signal on, as the runtime of a container does.
	if err := unix.Kill(below(t, running.Process.Pid, "runner-bootstrap"), unix.SignalNum(settings.StopSignal)); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("after %s it ends with %v\n%s", settings.StopSignal, err, said.String())
		}
	case <-time.After(time.Minute):
		t.Error("it does not end")
	}
}

// image is what a container is started with.
type image struct {
	User, WorkingDir, StopSignal string
	Entrypoint                   []string
	Volumes                      map[string]struct{}
}

// insideImage: the program of the release, for an account that is not root, and what a container is started with.
func insideImage(t *testing.T, b builder, made string) image {
	t.Helper()
	var all struct{ OCIv1 struct{ Config image } }
	if err := json.Unmarshal([]byte(b.do(t, "inspect", made)), &all); err != nil {
		t.Fatal(err)
	}
	settings := all.OCIv1.Config
	if _, kept := settings.Volumes["/runner"]; !kept || settings.User != "runner" || settings.WorkingDir != "/runner" || settings.StopSignal != "SIGTERM" {
		t.Errorf("a container is started with %+v", settings)
	}
	said := b.do(t, "run", "--isolation", "chroot", made, "--", "sh", "-c",
		"runner-bootstrap version; id -u; stat -c '%U %a' /usr/bin/runner-bootstrap /runner; ls /usr/share/doc/runner-bootstrap")
	for _, want := range []string{"runner-bootstrap 1.0.0 ", "\n1001\nroot 755\nrunner 755\nLICENSE\nNOTICES"} {
		if !strings.Contains(said, want) {
			t.Errorf("in a container there is no %q:\n%s", want, said)
		}
	}
	return settings
}

// simulated is a GitHub on this host's loopback, where a container without a network of its own finds it.
func simulated(t *testing.T, listener string) *githubtest.Server {
	t.Helper()
	platform, err := download.Host()
	if err != nil {
		t.Fatal(err)
	}
	archive, err := githubtest.NewArchive(githubtest.ArchiveSpec{Platform: platform.String(), Version: "2.337.0", Listener: listener})
	if err != nil {
		t.Fatal(err)
	}
	server, err := githubtest.Start(githubtest.Config{Archive: archive})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return server
}

// below is the first process of a name among those that another one has started.
func below(t *testing.T, parent int, name string) int {
	t.Helper()
	for generation := []string{strconv.Itoa(parent)}; len(generation) > 0; {
		var next []string
		for _, id := range generation {
			lists, err := filepath.Glob("/proc/" + id + "/task/*/children")
			if err != nil {
				t.Fatal(err)
			}
			for _, list := range lists {
				children, _ := os.ReadFile(list) // a thread may have ended
				next = append(next, strings.Fields(string(children))...)
			}
		}
		for _, id := range next {
			said, _ := os.ReadFile("/proc/" + id + "/comm")
			if pid, err := strconv.Atoi(id); err == nil && strings.TrimSpace(string(said)) == name[:15] {
				return pid
			}
		}
		generation = next
	}
	t.Fatalf("below process %d there is no %s", parent, name)
	return 0
}
