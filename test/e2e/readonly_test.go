//go:build e2e && linux

package e2e_test

import (
	"errors"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/machine"
	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/stage"
)

// TestRootBecomesReadOnly: the disk fails under two runners that work, and the kernel lets nobody write to it any more. Both jobs end as
// they would, no other is taken to fail, and each command says what is wrong; what cannot be done is left as it was.
func TestRootBecomesReadOnly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	image := filepath.Join(dir, "disk")
	sh(t, "truncate", "--size=2G", image)
	sh(t, "mkfs.ext4", "-q", "-F", image)
	disk := mount(t, image, filepath.Join(dir, "disk-at"))
	files := filepath.Join(disk, "machine")
	sh(t, "mkdir", files)
	s := stage.Set(t, machine.Options{Kind: machine.Debian13, Cgroup2: true, Disk: files}, githubtest.ArchiveSpec{
		Version: stage.Version, Listener: stage.Listener(t, t.TempDir()), Padding: 1 << 20,
	})
	s.Must("systemctl", "start", "network-online.target")
	h := &host{Machine: s.Machine, server: s.Server}
	const once = "once"
	install := []string{program, "install", "--url", h.server.URL() + "/octo-org", "--token-file", token, "--preemption", "off", "--name"}
	h.Must(append(slices.Clone(install), name)...)
	h.Must(append(slices.Clone(install), once, "--ephemeral")...)
	h.until(t, "both listen", func() bool { return strings.Count(h.Must(program, "list"), "idle") == 2 })

	work := h.server.QueueJob(name, githubtest.Job{Name: "work", Script: "sleep 9"})
	only := h.server.QueueJob(once, githubtest.Job{Name: "only", Script: "sleep 9"})
	h.until(t, "both work", func() bool { return strings.Count(h.Must(program, "list"), "busy") == 2 })
	// Busy is a runner before its job has made its folders, too.
	h.until(t, "both jobs are at their work", func() bool {
		all := h.Run(t.Context(), "sh", "-c", `for p in /proc/[0-9]*; do tr '\0' ' ' <"$p/cmdline"; echo; done 2>/dev/null`)
		return len(slices.DeleteFunc(strings.Split(all.Stdout, "\n"), func(command string) bool { return command != "sleep 9 " })) == 2
	})
	sh(t, "mount", "-o", "remount,abort", disk) // as an error of the disk does with errors=remount-ro
	if r := h.Run(t.Context(), "touch", "/root/x"); r.Code == 0 {
		t.Fatal("the disk can be written to")
	}
	ends(t, work, "succeeded")
	ends(t, only, "succeeded")
	h.until(t, "neither takes jobs", func() bool { return strings.Count(h.Must(program, "list"), "drained") == 2 })
	later := h.server.QueueJob(name, githubtest.Job{Name: "later", Script: "true"})

	const cause = "read-only file system"
	for command, want := range map[string]struct {
		code int
		text string
	}{
		"status --name " + name:                             {9, "it takes no jobs: nothing can be written to directory"},
		"status --name " + once:                             {9, "it takes no jobs: nothing can be written to directory"},
		"drain --resume --name " + name:                     {3, cause},
		"uninstall --token-file /root/token --name " + once: {3, cause},
		"restart --name " + name:                            {3, cause},
	} {
		r := h.Run(t.Context(), append([]string{program}, strings.Fields(command)...)...)
		if r.Code != want.code || !strings.Contains(r.Stderr, want.text) || !strings.Contains(r.Stderr, "hint: findmnt") {
			t.Errorf("%s: %s", command, r)
		}
	}
	used := h.processor(t)
	time.Sleep(15 * time.Second)
	if more := h.processor(t) - used; more > 100 {
		t.Errorf("in 15 seconds the agent has used %d0 ms of the processor", more)
	}
	if strings.Contains(h.Journal(), "job=later") {
		t.Errorf("a job was taken, and failed: %+v", later)
	}
	if all := h.server.Runners(""); len(all) != 1 || all[0].Name != name {
		t.Errorf("GitHub lists %+v", all)
	}
}

// TestDiskIsGoodAgain: nothing can be written where a runner is, until an administrator has mended that. The runner takes no jobs
// meanwhile, and takes them again by itself.
func TestDiskIsGoodAgain(t *testing.T) {
	t.Parallel()
	s := stage.Set(t, machine.Options{Kind: machine.Debian12}, githubtest.ArchiveSpec{Version: stage.Version, Listener: stage.Listener(t, t.TempDir())})
	s.Must("systemctl", "start", "network-online.target")
	h := &host{Machine: s.Machine, server: s.Server}
	h.Must(program, "install", "--url", h.server.URL()+"/octo-org", "--token-file", token, "--preemption", "off", "--name", name)
	// For the agent alone: what a listener has open to be written to keeps its own mount from becoming read-only.
	remount := func(how string) {
		t.Helper()
		h.Must("sh", "-ec", `dir=$(realpath /opt/actions-runner/`+name+`)
			enter="nsenter --mount --target `+strings.TrimSpace(h.property("MainPID"))+`"
			$enter mountpoint -q "$dir" || $enter mount --bind "$dir" "$dir"
			$enter mount -o remount,bind,`+how+` "$dir"`)
	}
	is := func(state string) func() bool {
		return func() bool { return strings.Contains(h.Must(program, "list"), state) }
	}
	h.until(t, "it listens", is("idle"))
	remount("ro")
	time.Sleep(30 * time.Second) // it is looked at once a minute
	h.until(t, "it takes no jobs", is("drained"))
	if r := h.Run(t.Context(), program, "status"); r.Code != 9 || !strings.Contains(r.Stderr, "it takes no jobs: nothing can be written to directory") {
		t.Errorf("status: %s", r)
	}
	remount("rw")
	h.until(t, "it listens again", is("idle"))
	if r := h.Run(t.Context(), program, "status"); r.Code != 0 {
		t.Errorf("status: %s", r)
	}
	ends(t, h.server.QueueJob(name, githubtest.Job{Name: "later", Script: "true"}), "succeeded")
}

// processor is what the runner's agent has used of it, in hundredths of a second.
func (h *host) processor(t *testing.T) int {
	t.Helper()
	stat := strings.Fields(h.Must("cat", "/proc/"+strings.TrimSpace(h.property("MainPID"))+"/stat"))
	user, err1 := strconv.Atoi(stat[13])
	system, err2 := strconv.Atoi(stat[14])
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return user + system
}
