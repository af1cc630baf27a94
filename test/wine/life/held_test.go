//go:build e2e && linux

package life

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/test/wine"
)

// TestHeldFiles is a life whose files other programs have open: for a second, as a virus scanner, and for good, as what a job
// has left. The place has a long path, with letters and blanks; one that is too long for programs is refused before.
func TestHeldFiles(t *testing.T) {
	t.Parallel()
	h := newHost(t, boot(t), Program)
	const probe = `C:\probe.exe`
	h.Put(wine.Build(t, "test/wine/testdata/probe"), probe)
	long := `C:\` + strings.TrimSuffix(strings.Repeat(`ein läufer 跑\`, 20), `\`)
	place := long[:strings.LastIndex(long[:170], `\`)]
	at := []string{"--dir", place}
	install := slices.Concat([]string{"install", "--url", h.server.URL() + "/octo-org", "--name", runner, "--no-service", "--token-file", token}, at)
	uninstall := slices.Concat([]string{"uninstall", "--token-file", token}, at)
	before := h.Files(`C:\`)
	h.does(t, 3, []string{"programs cannot be started there", "characters"}, slices.Concat(install[:len(install)-1], []string{long})...)
	h.does(t, 0, nil, install...)
	run := h.Start(h.program, slices.Concat([]string{"run", "--name", runner}, at)...)
	h.online(t)
	h.ranJob(t, githubtest.Job{Script: `echo x> left&& mkdir below&& echo y> below\locked&& attrib +r below\locked`})
	run.Kill()
	h.eventuallyIdle(t)

	left := h.find(t, place, `\locked`)
	forGood := h.hold(t, probe, left, "600")
	h.does(t, 3, []string{"locked", "another program has it open"}, uninstall...)
	forGood.Kill()
	h.hold(t, probe, left, "1")
	h.does(t, 0, []string{"is removed"}, uninstall...)
	if all := h.server.Runners(""); len(all) != 0 {
		t.Errorf("GitHub still has %+v", all)
	}
	after := slices.DeleteFunc(h.Files(`C:\`), func(path string) bool {
		return slices.Contains(before, path) || strings.Contains(place, path) || strings.Contains(path, `\Temp\`) || strings.Contains(path, `\cache`)
	})
	if len(after) > 0 {
		t.Errorf("left behind: %q", after)
	}
}

// eventuallyIdle waits until nothing of the runner is left running.
func (h *host) eventuallyIdle(t *testing.T) {
	t.Helper()
	running := func(p wine.Process) bool { return strings.Contains(p.Args[0], "Runner.") }
	for deadline := time.Now().Add(patience); slices.ContainsFunc(h.Processes(), running); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still there: %v", h.Processes())
		}
	}
}

// find is the one file below a folder whose path ends so.
func (h *host) find(t *testing.T, folder, end string) string {
	t.Helper()
	all := h.Files(folder)
	i := slices.IndexFunc(all, func(path string) bool { return strings.HasSuffix(path, end) })
	if i < 0 {
		t.Fatalf("there is no %q among %q", end, all)
	}
	return all[i]
}

// hold has another program keep a file open, for so many seconds.
func (h *host) hold(t *testing.T, probe, file, seconds string) *wine.Running {
	t.Helper()
	holder := h.Start(probe, "hold", file, seconds)
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(holder.Said().Stdout, "held"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it does not hold %q: %s", file, holder.Said())
		}
	}
	return holder
}
