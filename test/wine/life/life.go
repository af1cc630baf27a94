//go:build e2e && linux

package life

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/test/wine"
)

// Foreground is a life without a service, as somebody who is no administrator.
func Foreground(t *testing.T, m *wine.Machine, program string) {
	t.Helper()
	h := newHost(t, m, program)
	at := []string{"--dir", `C:\a place`}
	// What cmd.exe would take for commands and variables.
	labels := []string{"c&d", "%PATH%", `a"b`, "^x|y>z"}
	install := slices.Concat(h.install(), []string{"--no-service", "--labels", strings.Join(labels, ",")}, at)
	h.does(t, 0, nil, install...)
	h.does(t, 0, nil, install...)
	for _, label := range labels {
		all := h.server.Runners("")
		if len(all) != 1 || !slices.ContainsFunc(all[0].Labels, func(l githubtest.Label) bool { return l.Name == label }) {
			t.Errorf("GitHub has %+v, without label %s", all, label)
		}
	}
	run := h.Start(h.program, slices.Concat([]string{"run", "--name", runner}, at)...)
	h.online(t)
	h.ranJob(t, githubtest.Job{Script: "echo %SystemRoot% && cmd /c ver"})
	h.does(t, 0, []string{"idle since"}, "status", at[0], at[1])
	run.Kill()
	h.does(t, 0, nil, "uninstall", "--token-file", token, at[0], at[1])
	if all := h.server.Runners(""); len(all) != 0 {
		t.Errorf("GitHub still has %+v", all)
	}
}

const (
	// cache is what is kept for the next runner.
	cache = `C:\ProgramData\runner-bootstrap\cache`

	// The services of the runner, as Windows knows them.
	service = "actions.runner.octo-org.web-1"
	hosting = service + ".host"
)

// nap is a job that takes as many seconds, about.
func nap(seconds int) githubtest.Job {
	return githubtest.Job{Script: fmt.Sprintf("ping -n %d 127.0.0.1 > nul", seconds+1)}
}

// Service is a whole life as an administrator has it: with a service for the agent, and one for jobs. Nothing is left of it
// but the cache.
func Service(t *testing.T, m *wine.Machine, program string) {
	t.Helper()
	h := newHost(t, m, program)
	before := h.census()
	h.Elevate(program)
	h.does(t, 0, []string{"listening after"}, h.install()...)
	h.online(t)
	h.Must("reg", "query", `HKLM\SYSTEM\CurrentControlSet\Services\EventLog\Application\`+service)
	for _, step := range []struct {
		name string
		do   func(*host, *testing.T)
	}{
		{"again", (*host).again},
		{"a job", (*host).job},
		{"drain", (*host).drain},
		{"stop during a job", (*host).stopDuringJob},
		{"a newer version", (*host).newer},
		{"another program", (*host).moved},
		{"kill of the service", (*host).kill},
		{"kill of the jobs' service", (*host).killHost},
		{"restart of Windows", (*host).reboot},
	} {
		if !t.Run(step.name, func(t *testing.T) { step.do(h.For(t), t) }) {
			t.Log(h.log())
		}
	}
	h.does(t, 0, []string{"runner web-1 is removed"}, "uninstall", "--token-file", token)
	if all := h.server.Runners(""); len(all) != 0 {
		t.Errorf("GitHub still has %+v", all)
	}
	for _, name := range []string{service, hosting} {
		if got := h.Run(t.Context(), "sc", "query", name); got.Code == 0 {
			t.Errorf("service %s is left: %s", name, got)
		}
	}
	for _, key := range []string{service, hosting, `EventLog\Application\` + service} {
		if got := h.Run(t.Context(), "reg", "query", `HKLM\SYSTEM\CurrentControlSet\Services\`+key); got.Code == 0 {
			t.Errorf("the registry still has %s: %s", key, got)
		}
	}
	left := slices.DeleteFunc(h.census(), func(path string) bool {
		return slices.Contains(before, path) || path == `C:\ProgramData\runner-bootstrap` || strings.HasPrefix(path, cache)
	})
	if len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

func (h *host) install() []string {
	return []string{"install", "--url", h.server.URL() + "/octo-org", "--name", runner, "--token-file", token}
}

func (h *host) again(t *testing.T) { h.does(t, 0, []string{"running already"}, h.install()...) }

// census is the files where ours may be.
func (h *host) census() []string {
	var found []string
	for _, folder := range []string{`C:\ProgramData`, `C:\actions-runner`, `C:\users`} {
		if h.Exists(folder) {
			found = append(found, h.Files(folder)...)
		}
	}
	return found
}

func (h *host) job(t *testing.T) {
	h.ranJob(t, githubtest.Job{Script: "echo %SystemRoot% %TEMP% && cmd /c ver"})
	h.does(t, 0, []string{"idle since"}, "status")
	h.does(t, 0, []string{"is starting", "job started", "job ended"}, "logs")
}

// drain and resume: the running job ends well, no other is taken, and then they are again.
func (h *host) drain(t *testing.T) {
	run := h.server.QueueJob(runner, nap(4))
	h.busy(t)
	h.does(t, 0, nil, "drain", "--name", runner)
	h.succeeded(t, run)
	next := h.server.QueueJob(runner, nap(0))
	soon, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := next.WaitStarted(soon); err == nil {
		t.Error("a drained runner takes a job")
	}
	h.does(t, 0, nil, "restart", "--name", runner)
	h.succeeded(t, next)
}

// stopDuringJob: Windows asks the service to stop, as at a shutdown; the job may finish.
func (h *host) stopDuringJob(t *testing.T) {
	h.online(t)
	run := h.server.QueueJob(runner, nap(5))
	h.busy(t)
	h.Must("sc", "stop", service)
	h.succeeded(t, run)
	h.stopped(t, service)
	h.stopped(t, hosting)
	h.does(t, 9, []string{"stopped"}, "status")
	h.Must("sc", "start", service)
	h.online(t)
}

// newer: GitHub offers another version, which the agent puts into its place between two jobs.
func (h *host) newer(t *testing.T) {
	const next = "2.338.0"
	h.server.AddArchive(offered(t, next))
	h.Must("sc", "stop", service)
	h.stopped(t, service)
	for _, file := range h.Files(cache) {
		if strings.HasSuffix(file, `\entry.json`) { // GitHub was asked long ago
			h.Write(file, strings.Replace(h.Read(file), `"offered":"20`, `"offered":"19`, 1))
		}
	}
	h.Must("sc", "start", service)
	listed := func() string { return h.does(t, 0, nil, "list") }
	for deadline := time.Now().Add(patience); !strings.Contains(listed(), next); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the runner stays as it is: %s", listed())
		}
	}
	h.job(t)
}

// moved: the program lies elsewhere now, and the job may take longer at a stop. Both services are changed where they are.
func (h *host) moved(t *testing.T) {
	const elsewhere = `C:\Program Files\another place\runner-bootstrap.exe`
	h.Put(h.Path(h.program), elsewhere)
	h.Elevate(elsewhere)
	first := h.program
	for _, now := range []string{elsewhere, first} {
		h.program = now
		h.does(t, 0, []string{"listening after"}, append(h.install(), "--drain-timeout", "25m")...)
		for _, name := range []string{service, hosting} {
			held := h.Must("reg", "query", `HKLM\SYSTEM\CurrentControlSet\Services\`+name, "/v", "ImagePath")
			if !strings.Contains(held, now) {
				t.Errorf("service %s starts %s", name, held)
			}
		}
		h.job(t)
		h.does(t, 0, []string{"running already"}, append(h.install(), "--drain-timeout", "25m")...)
	}
}

// kill of the agent ends the listener and the job, and the next agent starts a new one.
func (h *host) kill(t *testing.T) {
	h.online(t)
	run := h.server.QueueJob(runner, nap(60))
	h.busy(t)
	h.end(t, " run --name "+runner)
	h.stopped(t, hosting)
	h.Must("sc", "start", service) // a real Windows does that by itself
	h.online(t)
	if conclusion, err := run.Wait(h.soon(t)); conclusion == "succeeded" {
		t.Errorf("the job of a killed agent %s, %v", conclusion, err)
	}
	h.job(t)
}

// killHost: the service of the jobs is killed, and the agent starts another listener.
func (h *host) killHost(t *testing.T) {
	h.online(t)
	before := h.end(t, " host "+hosting)
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		if now := h.processes(" host " + hosting); len(now) == 1 && now[0].PID != before {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("no other listener was started")
		}
	}
	h.job(t)
}

// reboot is a power cut: the service comes again by itself.
func (h *host) reboot(t *testing.T) {
	h.Restart()
	h.online(t)
	h.job(t)
}

// Ephemeral is a service whose runner has a registration for each job, with a credential that jobs cannot read: option
// says of which kind.
func Ephemeral(t *testing.T, m *wine.Machine, program, option string) {
	t.Helper()
	h := newHost(t, m, program)
	h.Elevate(program)
	h.does(t, 0, []string{"listening after"}, append(h.install(), option)...)
	for range 3 {
		h.succeeded(t, h.server.QueueJob("", nap(0)))
	}
	h.does(t, 0, nil, "uninstall", "--token-file", token)
	if all := h.server.Runners(""); len(all) != 0 {
		t.Errorf("GitHub still has %+v", all)
	}
}

// TwoInstalls has two installs at once: one is done, and the other says who is at work, or finds all done after that.
func TwoInstalls(t *testing.T, m *wine.Machine, program string) {
	t.Helper()
	h := newHost(t, m, program)
	h.Elevate(program)
	both := []*wine.Running{h.Start(program, h.install()...), h.Start(program, h.install()...)}
	done := 0
	for _, one := range both {
		select {
		case <-one.Ended():
		case <-time.After(patience):
			t.Fatalf("one does not end: %s", one.Said())
		}
		switch said := one.Said(); {
		case said.Code == 0:
			done++
		case said.Code != 3 || !strings.Contains(said.Stderr, "is at work on it"):
			t.Errorf("one: %s", said)
		}
	}
	if all := h.server.Runners(""); done == 0 || len(all) != 1 || all[0].Status != "online" {
		t.Errorf("%d are done, GitHub has %+v", done, all)
	}
	h.does(t, 0, nil, "uninstall", "--token-file", token)
}
