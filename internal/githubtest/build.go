package githubtest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

const listenerPackage = "github.com/runner-bootstrap/runner-bootstrap/internal/githubtest/listener"

// BuildListener compiles the simulated listener for a system into dir and returns its path. It needs the go command and
// a working directory inside this module.
func BuildListener(ctx context.Context, dir, goos, goarch string) (string, error) {
	out := filepath.Join(dir, "Runner.Listener-"+goos+"-"+goarch)
	if goos == "windows" {
		out += ".exe"
	}
	// Without version control: git refuses to look at a checkout that belongs to another user.
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", out,
		listenerPackage)
	cmd.Env = append(buildEnviron(os.Environ()), "CGO_ENABLED=0", "GOOS="+goos, "GOARCH="+goarch)
	if os.Getenv("HOME") == "" {
		// Without a home the go command has no place for these and gives up.
		for name, folder := range map[string]string{"GOCACHE": "go-build", "GOMODCACHE": "go-mod"} {
			if os.Getenv(name) == "" {
				cmd.Env = append(cmd.Env, name+"="+filepath.Join(dir, folder))
			}
		}
	}
	if text, err := cmd.CombinedOutput(); err != nil {
		said := strings.TrimSpace(string(text))
		return "", fmt.Errorf("compiling the simulated listener for %s/%s: %w: %s", goos, goarch, err, said)
	}
	return out, nil
}

// BuildRunner packs the compiled listener into the archive of a Linux runner in dir, and returns its path.
func BuildRunner(ctx context.Context, dir, version string) (string, error) {
	listener, err := BuildListener(ctx, dir, runtime.GOOS, runtime.GOARCH)
	if err != nil {
		return "", err
	}
	made, err := NewArchive(ArchiveSpec{Platform: "linux-x64", Version: version, Listener: listener, Dir: dir})
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, made.Filename), nil
}

// buildEnviron leaves out what was meant for the program under test.
func buildEnviron(environ []string) []string {
	var out []string
	for _, e := range environ {
		if name, _, _ := strings.Cut(e, "="); name != "GOFLAGS" && !strings.HasPrefix(name, "ACTIONS_RUNNER_INPUT_") {
			out = append(out, e)
		}
	}
	return out
}
