package life

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
)

// A job finds no secret that is not its own runner's: not the credential, no registration token, nothing of the
// registration before. It looks at all processes, and at the files that have changed since the runner was installed.
func TestSecrets(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("jobs run as the account that installs, and see what it sees")
	}
	for name, words := range map[string][]string{
		"ephemeral": {"--ephemeral"}, "jit": {"--jit"}, "kept": {"--ephemeral"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			from := h.token
			if name == "kept" {
				from = "-"
			}
			decoy := "ghp_decoy" + strings.ReplaceAll(t.Name(), "/", "") + fmt.Sprint(os.Getpid())
			bait := filepath.Join(h.base, "bait")
			if err := os.WriteFile(bait, []byte(decoy), 0o644); err != nil {
				t.Fatal(err)
			}
			h.install(append(slices.Clone(words), "--token-file", from)...)
			run := h.run()
			h.comesUp(1, patience)
			forbidden := []string{decoy, h.clientID()}
			// What a job leaves must not see the next registration.
			if got, err := h.job("setsid sleep 300 >/dev/null 2>&1 </dev/null & true", patience); err != nil || got != "succeeded" {
				t.Fatalf("the first job: %s, %v", got, err)
			}
			h.comesUp(2, patience)
			if all := h.processes(); len(all) != 2 {
				t.Errorf("beside supervisor and listener there is what a job has left: %v", all)
			}
			own := h.registration()
			for _, secret := range h.server.Secrets() {
				if !strings.Contains(own, secret) {
					forbidden = append(forbidden, secret)
				}
			}
			found := h.search(forbidden, decoy)
			if !slices.Contains(found, h.root()+"/_work/bait") || !slices.ContainsFunc(found, regexp.MustCompile(`^/proc/\d+/environ$`).MatchString) {
				t.Errorf("the search is blind: it found %q", found)
			}
			if n := len(found); n != 2 {
				t.Errorf("a job finds a secret in %d places, want its two decoys, and not what is in %s: %q", n, bait, found)
			}
			h.stops(run)
		})
	}
}

// clientID is what the registration that is there now calls itself when it asks for access. (The simulated GitHub gives
// all just-in-time configurations the same key.)
func (h *host) clientID() string {
	h.t.Helper()
	match := regexp.MustCompile(`(?i)"clientId":\s*"([^"]+)"`).FindStringSubmatch(h.registration())
	if match == nil {
		h.t.Fatal("the registration has no client ID")
	}
	return match[1]
}

// kept is where the runner's registration is kept.
func (h *host) kept() string { return instance.KeptRegistration(h.store, runnerName).Folder() }

// registration is what a runner has to have of its own.
func (h *host) registration() string {
	h.t.Helper()
	var all strings.Builder
	for _, name := range []string{".runner", ".credentials", ".credentials_rsaparams"} {
		text, err := os.ReadFile(filepath.Join(h.kept(), name))
		if err != nil {
			h.t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

// search runs a job that looks for secrets, and returns the places. It tells none of what is there.
func (h *host) search(secrets []string, decoy string) []string {
	h.t.Helper()
	var halves strings.Builder // so that the job's own text is no find
	for _, secret := range secrets {
		middle := len(secret) / 2
		fmt.Fprintf(&halves, "%s %s\n", secret[:middle], secret[middle:])
	}
	middle := len(decoy) / 2
	script := strings.NewReplacer("{{HALVES}}", halves.String(), "{{BASE}}", h.base, "{{ROOT}}", h.root(),
		"{{SINCE}}", strconv.FormatInt(h.begun.Unix()-1, 10), "{{STATE}}", filepath.Join(h.dir, "state"),
		"{{DECOY}}", decoy[:middle]+`""`+decoy[middle:]).Replace(searchScript)
	job := h.server.QueueJob(runnerName, githubtest.Job{Script: script})
	deadline := time.After(patience * 2)
	over := make(chan string, 1)
	go func() {
		conclusion, err := job.Wait(h.t.Context())
		over <- fmt.Sprint(conclusion, err)
	}()
	select {
	case got := <-over:
		if got != "succeeded<nil>" {
			h.t.Fatalf("the search: %s: %s", got, job.Output())
		}
	case <-deadline:
		h.t.Fatal("the search takes too long")
	}
	var found []string
	for line := range strings.Lines(job.Output()) {
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), "found "); ok {
			found = append(found, path)
		}
	}
	return found
}

const searchScript = `
secrets() { tr -d ' ' <<'EOF'
{{HALVES}}EOF
}
echo {{DECOY}} >{{ROOT}}/_work/bait
env LIFE_DECOY={{DECOY}} sleep 60 &
decoy=$!
tries=0
while ! tr '\0' '\n' <"/proc/$decoy/environ" | grep -q LIFE_DECOY && [ "$tries" -lt 100 ]; do tries=$((tries+1)); sleep 0.05; done
{
	secrets | timeout 20 grep -lsaF -f - /proc/[0-9]*/environ /proc/[0-9]*/cmdline
	# An open file is as good as its content.
	for link in /proc/[0-9]*/fd/*; do
		case $(readlink "$link" 2>/dev/null) in {{STATE}}/*|{{BASE}}/token*) echo "$link" ;; esac
	done
	for place in {{BASE}} /etc /run /var/lib /var/log /var/tmp /var/cache /dev/shm; do
		timeout 20 find "$place" -xdev -type f -readable -newermt @{{SINCE}} 2>/dev/null
	done >"$RUNNER_TEMP/files"
	echo {{BASE}}/bait >>"$RUNNER_TEMP/files"
	echo {{ROOT}}/_work/bait >>"$RUNNER_TEMP/files"
	secrets | timeout 20 xargs -a "$RUNNER_TEMP/files" -n 100000 grep -lsaF -f /dev/fd/3 3<&0 | sort -u
} | sort -u | sed 's/^/found /'
kill "$decoy"
`
