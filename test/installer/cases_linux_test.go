package installer

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

func TestInstallsAndRepeats(t *testing.T) {
	t.Parallel()
	eachShell(t, func(t *testing.T, s shell) {
		h, m := usual(t, s), serve(t, release(t).ServeHTTP)
		h.run(t, "--mirror", m.url).wants(t, 0, h.target()+": runner-bootstrap "+released+" go", h.bin+" is not in PATH: type "+h.target()+"\n")
		h.leaves(t, binary(t))

		before, err := os.Stat(h.target())
		if err != nil {
			t.Fatal(err)
		}
		folderBefore, _ := os.Stat(h.bin)
		h.extra = []string{"PATH=" + h.tools + ":" + h.bin}
		again := h.run(t, "--mirror="+m.url+"/", "--version", "v"+released)
		again.wants(t, 0, h.target()+" is already there: runner-bootstrap "+released)
		if strings.Count(again.out, "\n") != 1 || again.err != "" {
			t.Errorf("a second run says more than one line: %q, %q", again.out, again.err)
		}
		h.leaves(t, binary(t))
		after, _ := os.Stat(h.target())
		folderAfter, _ := os.Stat(h.bin)
		if !os.SameFile(before, after) || !before.ModTime().Equal(after.ModTime()) || !folderBefore.ModTime().Equal(folderAfter.ModTime()) {
			t.Error("the second run has written")
		}
	})
}

func TestPlaces(t *testing.T) {
	t.Parallel()
	eachShell(t, func(t *testing.T, s shell) {
		files := release(t)
		h, m := usual(t, s), serve(t, files.ServeHTTP)
		h.old(t, []byte("old"))
		// Variables, and an option that beats one; the digest in capitals.
		h.extra = []string{
			"RUNNER_BOOTSTRAP_INSTALL_MIRROR=" + m.url, "RUNNER_BOOTSTRAP_INSTALL_VERSION=9.9.9",
			"RUNNER_BOOTSTRAP_INSTALL_SHA256=" + strings.ToUpper(digest(files[archiveName()])),
		}
		h.run(t, "--version", released).wants(t, 0, h.target()+": runner-bootstrap "+released)
		h.leaves(t, binary(t))
		if n := m.requests("checksums.txt"); n != 0 {
			t.Errorf("checksums.txt was asked for %d times in spite of --sha256", n)
		}

		// The list that is pinned, in capitals as well.
		h.extra = []string{"RUNNER_BOOTSTRAP_INSTALL_CHECKSUMS_SHA256=" + strings.ToUpper(digest(files["checksums.txt"]))}
		h.old(t, []byte("old"))
		h.run(t, "--mirror", m.url).wants(t, 0, h.target()+": runner-bootstrap "+released)
		h.leaves(t, binary(t))

		// From a folder, to one that is not there yet, by a relative name.
		from := filepath.Join(h.base, "a folder")
		files.write(t, from)
		h.extra, h.bin = nil, filepath.Join(h.base, "new", "bin")
		h.run(t, "--mirror", "file://"+from, "--bin-dir", "new/bin").wants(t, 0, h.target()+": runner-bootstrap "+released)
		h.leaves(t, binary(t))
	})
}

func (f folder) write(t *testing.T, dir string) {
	t.Helper()
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range f {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRefuses has an old program in place, which every refusal leaves as it is.
func TestRefuses(t *testing.T) {
	t.Parallel()
	good := release(t)
	with := func(name, content string) folder {
		f := folder{archiveName(): good[archiveName()], "checksums.txt": good["checksums.txt"], name: []byte(content)}
		return f
	}
	without := func(name string) folder {
		f := with("other", "")
		delete(f, name)
		return f
	}
	wrong := strings.Repeat("1", 64)
	for _, test := range []struct {
		name  string
		files folder
		args  []string
		code  int
		words string
	}{
		{"digest of the caller", good, []string{"--sha256", wrong}, 6, "not " + wrong},
		{"digest of the list", good, []string{"--checksums-sha256", wrong}, 6, "checksums.txt has SHA-256 " + digest(good["checksums.txt"]) + ", not " + wrong},
		{"digest of the release", with("checksums.txt", wrong+"  "+archiveName()+"\n"), nil, 6, "not " + wrong},
		{"one byte more", with(archiveName(), string(good[archiveName()])+"x"), nil, 6, "it is not what was promised"},
		{"no digest", with("checksums.txt", wrong+"  other\n"), nil, 6, "promises nothing about " + archiveName()},
		{"digest of no length", with("checksums.txt", "  "+archiveName()+"\n"), nil, 6, "promises nothing"},
		{"longer name", with("checksums.txt", wrong+"  "+archiveName()+"x\n"), nil, 6, "promises nothing"},
		{"no checksums", without("checksums.txt"), nil, 5, "404"},
		{"no archive", without(archiveName()), nil, 5, "404"},
		{"not a tar", releaseOf([]byte("words")), nil, 6, "is no archive"},
		{"another program", releaseOf(packed(t, map[string][]byte{"x/runner-bootstrap": []byte("x")})), nil, 6, "does not hold"},
		{"empty", releaseOf(packed(t, map[string][]byte{"runner-bootstrap": nil})), nil, 6, "as a file"},
		{"another version", good, []string{"--version", "9.9.9"}, 6, "holds version " + released + ", not 9.9.9"},
		{"it does not run", releaseOf(packed(t, map[string][]byte{"runner-bootstrap": []byte("#!/bin/sh\nexit 1\n")})), nil, 3, "does not run"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			eachShell(t, func(t *testing.T, s shell) {
				h, m := usual(t, s), serve(t, test.files.ServeHTTP)
				h.old(t, []byte("old"))
				h.run(t, append([]string{"--mirror", m.url}, test.args...)...).wants(t, test.code, test.words)
				h.leaves(t, []byte("old"))
				if n := m.requests(""); n > 2 {
					t.Errorf("%d requests, where none was worth repeating", n)
				}

				// Nor stays a folder that was made for it.
				h.bin = filepath.Join(h.base, "new", "bin")
				h.run(t, append([]string{"--mirror", m.url, "--bin-dir", h.bin}, test.args...)...).wants(t, test.code)
				if list(t, filepath.Join(h.base, "new")) != "" || slices.Contains(strings.Fields(list(t, h.base)), "new") {
					t.Errorf("the folder for the program was made and stayed")
				}

				// One that was there before does, even if it is empty.
				h.bin = filepath.Join(h.base, "empty")
				if err := os.Mkdir(h.bin, 0o755); err != nil {
					t.Fatal(err)
				}
				h.run(t, append([]string{"--mirror", m.url}, test.args...)...).wants(t, test.code)
				if _, err := os.Stat(h.bin); err != nil {
					t.Errorf("an empty folder of somebody else's was removed: %v", err)
				}
			})
		})
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	eachShell(t, func(t *testing.T, s shell) {
		m := serve(t, release(t).ServeHTTP)
		for _, args := range [][]string{
			{"--unknown"},
			{"word"},
			{"--version"},
			{"--version="},
			{"--version", "../1"},
			{"--version", "latest"},
			{"--sha256", "abc"},
			{"--sha256", strings.Repeat("g", 64)},
			{"--checksums-sha256", "abc"},
			{"--bin-dir", ""},
			{"--mirror", "http://example.com"},
			{"--mirror", "http://localhost.example.com"},
			{"--mirror", "http://127.0.0.1.example.com/x"},
			{"--mirror", "http://127.0.0.1:80@example.com/x"},
			{"--mirror", "http://127.0.0.1@example.com:80"},
			{"--mirror", `http://127.0.0.1\@example.com`},
			{"--mirror", "ftp://127.0.0.1/"},
			{"--mirror", "file://host/x"},
			{"--mirror", "file:x"},
			{"--mirror", "https:///x"},
			{"--mirror", m.url + "/?x"},
			{"--mirror", m.url + "/a b"},
		} {
			h := usual(t, s)
			if !slices.Contains(args, "--mirror") {
				h.extra = []string{"RUNNER_BOOTSTRAP_INSTALL_MIRROR=" + m.url}
			}
			h.run(t, args...).wants(t, 2, "install.sh: ")
			h.leaves(t, nil)
			if t.Failed() {
				t.Fatalf("with %q", args)
			}
		}
		if n := m.requests(""); n != 0 {
			t.Errorf("%d requests were sent for calls that cannot be meant", n)
		}
		help := usual(t, s).run(t, "--help")
		help.wants(t, 0)
		for _, option := range []string{"VERSION", "BIN_DIR", "MIRROR", "SHA256"} {
			if !strings.Contains(help.out, "--"+strings.ReplaceAll(strings.ToLower(option), "_", "-")+" ") ||
				!strings.Contains(help.out, "RUNNER_BOOTSTRAP_INSTALL_"+option) {
				t.Errorf("--help does not tell of %s", option)
			}
		}
	})
}

func TestHosts(t *testing.T) {
	t.Parallel()
	for system, archive := range map[string]string{
		"Linux x86_64": "linux_amd64", "Linux aarch64": "linux_arm64", "Linux armv7l": "linux_armv7",
		"Darwin arm64": "darwin_arm64", "Darwin x86_64": "darwin_amd64",
		"Linux armv6l": "", "Linux riscv64": "", "Linux i686": "", "Darwin armv7l": "", "FreeBSD amd64": "", "MINGW64_NT-10.0 x86_64": "",
	} {
		t.Run(system, func(t *testing.T) {
			t.Parallel()
			eachShell(t, func(t *testing.T, s shell) {
				if s.applets {
					return // its uname is its own
				}
				h, m := usual(t, s), serve(t, http.NotFound)
				name, machine, _ := strings.Cut(system, " ")
				h.fake(t, "uname", fmt.Sprintf("case $1 in -s) echo %s ;; -m) echo %s ;; esac", name, machine))
				o := h.run(t, "--mirror", m.url, "--sha256", strings.Repeat("1", 64))
				if archive == "" {
					o.wants(t, 3, "there is no archive for "+name, "Linux (amd64, arm64, armv7)", "macOS (amd64, arm64)")
				} else {
					o.wants(t, 5, "404", "/runner-bootstrap_"+archive+".tar.gz")
				}
				if n := m.requests(""); archive == "" && n != 0 {
					t.Errorf("%d requests", n)
				}
				h.leaves(t, nil)
			})
		})
	}
}

func TestUnwritable(t *testing.T) {
	t.Parallel()
	eachShell(t, func(t *testing.T, s shell) {
		h, m := usual(t, s), serve(t, release(t).ServeHTTP)
		h.ordinary = true
		if err := os.Chmod(h.bin, 0o555); err != nil {
			t.Fatal(err)
		}
		h.run(t, "--mirror", m.url).wants(t, 3, h.bin+" cannot be written", "sudo", "--bin-dir")
		h.leaves(t, nil)
		h.run(t, "--mirror", m.url, "--bin-dir", h.bin+"/below").wants(t, 3, "cannot be written")
		h.run(t, "--mirror", m.url, "--bin-dir", "/dev/null/x").wants(t, 3, "/dev/null is a file")
		if n := m.requests(""); n != 0 {
			t.Errorf("%d requests for what has no place", n)
		}

		// What is there already needs no permission, what is to replace it does.
		if err := os.Chmod(h.bin, 0o755); err != nil {
			t.Fatal(err)
		}
		h.old(t, binary(t))
		if err := os.Chmod(h.bin, 0o555); err != nil {
			t.Fatal(err)
		}
		h.run(t, "--mirror", m.url).wants(t, 0, "already there")
		if err := os.WriteFile(h.target(), []byte("old"), 0o755); err != nil && os.Geteuid() == 0 {
			t.Fatal(err)
		}
		h.run(t, "--mirror", m.url).wants(t, 3, "sudo")
		h.leaves(t, []byte("old"))
		if err := os.Chmod(h.bin, 0o755); err != nil {
			t.Fatal(err)
		}

		if err := os.Remove(h.target()); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(h.target(), 0o777); err != nil {
			t.Fatal(err)
		}
		h.ordinary = false
		h.run(t, "--mirror", m.url).wants(t, 3, h.target()+" is a folder")
		if got := list(t, h.target()); got != "" {
			t.Errorf("the folder in the program's place got %q", got)
		}
	})
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	// A shell cannot hear what was ignored before it began, as nohup has it; what is heard here is the default for it.
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	t.Cleanup(func() { signal.Stop(heard) })
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		for _, loader := range []string{"curl", "wget"} {
			t.Run(signal.String()+" "+loader, func(t *testing.T) {
				t.Parallel()
				eachShell(t, func(t *testing.T, s shell) {
					files, begun, left := release(t), make(chan struct{}), make(chan struct{})
					m := serve(t, func(w http.ResponseWriter, r *http.Request) {
						if !strings.HasSuffix(r.URL.Path, ".tar.gz") {
							files.ServeHTTP(w, r)
							return
						}
						w.Header().Set("Content-Length", "1000000")
						_, _ = w.Write(bytes.Repeat([]byte("x"), 1000))
						_ = http.NewResponseController(w).Flush()
						close(begun)
						<-r.Context().Done()
						close(left)
					})
					h := newHost(t, s, loader, "sha256sum")
					h.old(t, []byte("old"))
					ctx, cancel := context.WithTimeout(t.Context(), patience)
					defer cancel()
					cmd := h.command(ctx, scriptText(t), "--mirror", m.url)
					if err := cmd.Start(); err != nil {
						t.Fatal(err)
					}
					await(t, begun, "the download to begin")
					sent := time.Now()
					if err := cmd.Process.Signal(signal); err != nil {
						t.Fatal(err)
					}
					_ = cmd.Wait() // the code says it
					if code := cmd.ProcessState.ExitCode(); code != 130 || time.Since(sent) > patience/3 {
						t.Errorf("exit code %d after %v, not 130 at once", code, time.Since(sent))
					}
					await(t, left, "the download to be ended as well")
					h.leaves(t, []byte("old"))
				})
			})
		}
	}
}

func await(t *testing.T, event <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-event:
	case <-time.After(patience / 2):
		t.Fatalf("waited for %s in vain", what)
	}
}

func TestTruncated(t *testing.T) {
	t.Parallel()
	eachShell(t, func(t *testing.T, s shell) {
		h, m := usual(t, s), serve(t, release(t).ServeHTTP)
		h.extra = []string{"RUNNER_BOOTSTRAP_INSTALL_MIRROR=" + m.url}
		script := scriptText(t)
		whole := len(script) - len("\n") // without the last newline nothing of it is missing
		try := func(length int) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			cmd := h.command(ctx, script[:length], "--version", released)
			_ = cmd.Run() // what a shell says of half a script is its own affair
			if got := list(t, h.base) + "|" + list(t, h.bin) + "|" + list(t, h.tmp); got != "bin tmp tools||" || m.requests("") != 0 {
				t.Fatalf("cut off after %d bytes, behind %q, it leaves %q and sends %d requests",
					length, script[max(0, length-40):length], got, m.requests(""))
			}
		}
		started := time.Now()
		for _, length := range lengths(script[:whole]) {
			try(length)
		}
		t.Logf("%d lengths in %v", len(lengths(script[:whole])), time.Since(started))
		h.run(t, "--version", released).wants(t, 0)
		h.leaves(t, binary(t))
	})
}

// lengths are those at which a script is cut off: some everywhere, and all near the end and where functions meet.
func lengths(script []byte) []int {
	chosen := map[int]bool{}
	step, end := 97, 200
	if testing.Short() {
		step, end = 997, 60
	}
	for n := 0; n < len(script); n += step {
		chosen[n] = true
	}
	border := -len(script)
	for n := range script {
		if bytes.HasSuffix(script[:n], []byte("\n}\n")) || bytes.HasSuffix(script[:n], []byte("() {\n")) {
			border = n
		}
		if n-border < 3 || n > len(script)-end || bytes.HasPrefix(script[n:min(len(script), n+24)], []byte("() {")) {
			chosen[n] = true
		}
	}
	all := make([]int, 0, len(chosen))
	for n := range chosen {
		all = append(all, n)
	}
	slices.Sort(all)
	return all
}

func TestRetries(t *testing.T) {
	t.Parallel()
	for _, loader := range []string{"curl", "wget", "busybox-wget"} {
		for name, test := range map[string]struct {
			broken, code, requests int
			words                  string
		}{
			"passing trouble":  {2, 0, 3, "runner-bootstrap " + released},
			"lasting trouble":  {9, 5, 4, "503"},
			"closed mid-body":  {9, 5, 4, "fetching"},
			"closed once":      {1, 0, 2, "runner-bootstrap " + released},
			"too many at once": {1, 0, 2, "runner-bootstrap " + released},
		} {
			t.Run(loader+" "+name, func(t *testing.T) {
				t.Parallel()
				files := release(t)
				var seen atomic.Int32
				m := serve(t, func(w http.ResponseWriter, r *http.Request) {
					switch {
					case strings.HasSuffix(r.URL.Path, ".txt") || int(seen.Add(1)) > test.broken:
						files.ServeHTTP(w, r)
					case strings.HasPrefix(name, "closed"):
						w.Header().Set("Content-Length", fmt.Sprint(len(files[archiveName()])))
						_, _ = w.Write(files[archiveName()][:100_000])
					case name == "too many at once":
						http.Error(w, "", http.StatusTooManyRequests)
					default:
						http.Error(w, "", http.StatusServiceUnavailable)
					}
				})
				h := newHost(t, shells(t)[0], loader, "sha256sum")
				h.old(t, []byte("old"))
				h.run(t, "--mirror", m.url).wants(t, test.code, test.words)
				if n := m.requests(archiveName()); n != test.requests {
					t.Errorf("%d requests for the archive, not %d", n, test.requests)
				}
				want := []byte("old")
				if test.code == 0 {
					want = binary(t)
				}
				h.leaves(t, want)
			})
		}
	}
}
