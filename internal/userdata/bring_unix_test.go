//go:build unix

package userdata

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// bringing runs the function bring of a program's boot script in a folder that is its /run, with these programs before those of
// the system, and with words of the script replaced, each of which it has to have. It returns what was printed.
func bringing(t *testing.T, p Program, programs map[string]string, replace ...string) (run, printed string, err error) {
	t.Helper()
	run, bin := t.TempDir(), t.TempDir()
	for name, text := range programs {
		syscall.ForkLock.RLock()                                                         // a child that has it open for writing, for a moment, would keep it from being started
		err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+text), 0o700) //nolint:gosec // it is run
		syscall.ForkLock.RUnlock()
		if err != nil {
			t.Fatal(err)
		}
	}
	script := strings.Join(p.fetch(), "\n") + "\nbring\n"
	for i := 0; i < len(replace); i += 2 {
		if !strings.Contains(script, replace[i]) {
			t.Errorf("the script has no %q:\n%s", replace[i], script)
		}
		script = strings.ReplaceAll(script, replace[i], replace[i+1])
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	shell := exec.CommandContext(ctx, "sh", "-c", strings.ReplaceAll(script, "/run/", run+"/"))
	shell.Dir, shell.WaitDelay = run, time.Second
	shell.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
	out, err := shell.CombinedOutput()
	if ctx.Err() != nil {
		t.Errorf("it is still at work after half a minute: %s", out)
	}
	return run, string(out), err
}

// TestStalledMirrorIsLeft: a server that stops in the middle of a file is left by either tool, and what it has sent is no part of
// what comes next.
func TestStalledMirrorIsLeft(t *testing.T) {
	t.Parallel()
	const body = "a package"
	sum := sha256.Sum256([]byte(body))
	for tool, without := range map[string]string{"curl": "wget", "wget": "curl"} {
		t.Run(tool, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(tool); err != nil {
				t.Skip(err)
			}
			asked, ended := atomic.Int32{}, make(chan struct{})
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if asked.Add(1) > 1 {
					_, _ = w.Write([]byte(body)) // whether it came is seen in the file
					return
				}
				w.Header().Set("Content-Length", "9")
				_, _ = w.Write([]byte("a pack"))
				w.(http.Flusher).Flush() //nolint:forcetypeassert // of net/http's own
				select {
				case <-r.Context().Done():
				case <-ended:
				}
			}))
			defer server.Close()
			defer close(ended)
			p := Program{Package: server.URL + "/rb.rpm", Digest: hex.EncodeToString(sum[:])}
			_, printed, err := bringing(t, p, map[string]string{without: "exit 1\n", "rpm": "cat $3\n"},
				"--speed-time 30", "--speed-time 1", "--timeout=30", "--timeout=1")
			if err != nil || !strings.HasSuffix(printed, body) || asked.Load() != 2 {
				t.Errorf("%v after %d requests: %s", err, asked.Load(), printed)
			}
		})
	}
}

// TestInterruptedPackagesAreFinished: where the power was cut while packages were installed, dpkg finishes these first; what else
// apt refuses stays refused.
func TestInterruptedPackagesAreFinished(t *testing.T) {
	t.Parallel()
	const apt = "echo \"$@\" >>installed\n"
	sum := sha256.Sum256(nil)
	for name, c := range map[string]struct {
		says     string
		finished bool
	}{
		"interrupted":            {"E: dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct the problem.", true},
		"interrupted, on Ubuntu": {"E: dpkg was interrupted, you must manually run 'sudo dpkg --configure -a' to correct the problem. ", true},
		"something else":         {"E: Unable to correct problems, you have held broken packages.", false},
		"nothing":                {"", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begin := apt
			if c.says != "" {
				begin = `[ -e finished ] || { echo "` + c.says + `" >&2; exit 100; }` + "\n" + apt
			}
			run, printed, err := bringing(t, Program{Package: "http://127.0.0.1/rb.deb", Digest: hex.EncodeToString(sum[:])}, map[string]string{
				"curl":    ">\"${11}\"\n",
				"apt-get": begin,
				"dpkg":    "echo \"$DEBIAN_FRONTEND $@\" >finished\n",
			})
			finished, _ := os.ReadFile(filepath.Join(run, "finished"))   //nolint:errcheck // what is not there is empty
			installed, _ := os.ReadFile(filepath.Join(run, "installed")) //nolint:errcheck // likewise
			want := ""
			if c.finished {
				want = "noninteractive --force-confold --configure -a\n"
			}
			if works := c.finished || c.says == ""; string(finished) != want || (err == nil) != works || (len(installed) > 0) != works {
				t.Errorf("%v: dpkg is run with %q, apt installs %q: %s", err, finished, installed, printed)
			}
			if !strings.Contains(printed, c.says) {
				t.Errorf("what apt says is not told: %s", printed)
			}
		})
	}
}
