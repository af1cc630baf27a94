//go:build e2e

package packages

import (
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/test/wine"
	winelife "github.com/runner-bootstrap/runner-bootstrap/test/wine/life"
)

const (
	variables = `HKLM\System\CurrentControlSet\Control\Session Manager\Environment`
	services  = `HKLM\System\CurrentControlSet\Services`
	programs  = `C:\Program Files\runner-bootstrap`
	// What the installer answers, as far as Wine passes it on: refused, and done but for what the next start of Windows has to do.
	refusedByInstaller, restartWanted = 1603 & 0xff, 3010 & 0xff
)

// msiexec has the machine's installer do something, and returns the log of it.
func msiexec(t *testing.T, m *wine.Machine, code int, verb, file string) string {
	t.Helper()
	const log = `C:\msi.log`
	if r := m.Run(t.Context(), "msiexec", verb, file, "/qn", "/l*v", log); r.Code != code {
		t.Fatalf("msiexec %s %s: want exit code %d, got %s\n%s", verb, file, code, r, m.Read(log))
	}
	return m.Read(log)
}

// traces are all files of the machine, and what the registry has in the keys that an installer and we write to.
func traces(t *testing.T, m *wine.Machine) []string {
	t.Helper()
	all := m.Files(`C:\`)
	for _, key := range []string{
		variables, services, `HKLM\Software\Microsoft\Windows\CurrentVersion\Uninstall`,
		`HKLM\Software\Microsoft\Windows\CurrentVersion\Installer`, `HKLM\Software\Classes\Installer`,
	} {
		for line := range strings.Lines(m.Run(t.Context(), "reg", "query", key, "/s").Stdout) {
			// Wine takes the folder out of PATH, and leaves the semicolon before it.
			all = append(all, strings.TrimRight(line, ";\r\n"))
		}
	}
	return all
}

// lifeOfMSI: the package is installed, replaced by a later one while the program runs, not by an earlier one, and removed: with
// a runner on the machine that runner stays and goes on, and without one nothing does. The runner is installed, works and is
// removed by the program of the package.
func lifeOfMSI(t *testing.T, out, upgrade string) {
	m := wine.Boot(t, wine.Options{})
	const first, second = `C:\packages\first.msi`, `C:\packages\second.msi`
	m.Put(filepath.Join(out, "runner-bootstrap_windows_amd64.msi"), first)
	m.Put(filepath.Join(upgrade, "runner-bootstrap_windows_amd64.msi"), second)
	m.Write(`C:\packages\token`, "ghp_"+strings.Repeat("0", 36))
	m.Write(`C:\msi.log`, "")
	before := traces(t, m)

	msiexec(t, m, 0, "/i", first)
	if said := m.Must("cmd", "/c", "runner-bootstrap", "version"); !strings.HasPrefix(said, "runner-bootstrap 1.0.0 ") {
		t.Errorf("the program is not on PATH: %s\n%s", said, m.Must("reg", "query", variables, "/v", "PATH"))
	}
	if got, want := m.Files(programs), []string{"LICENSE", "NOTICES", "README.md", "runner-bootstrap.exe"}; !slices.Equal(got, inFolder(programs, want)) {
		t.Errorf("installed are %q", got)
	}
	msiexec(t, m, 0, "/i", first) // nothing to do

	running := runs(t, m)
	msiexec(t, m, restartWanted, "/i", second)
	select {
	case <-running.Ended():
		t.Errorf("the running program was ended by the upgrade: %s", running.Said())
	default:
	}
	running.Kill()
	m.Restart() // Wine exchanges a program that runs at the next start; Windows moves it away, and deletes it then
	whole := func() {
		t.Helper()
		if said := m.Must("cmd", "/c", "runner-bootstrap", "version"); !strings.HasPrefix(said, "runner-bootstrap 1.1.0-rc.1 ") {
			t.Errorf("the program is %s", said)
		}
		said := m.Must("reg", "query", `HKLM\Software\Microsoft\Windows\CurrentVersion\Uninstall`, "/s")
		if strings.Count(said, "DisplayName    REG_SZ    runner-bootstrap\n") != 1 || !strings.Contains(said, "1.1.0") || strings.Contains(said, "1.0.0") {
			t.Errorf("installed are:\n%s", said)
		}
		if said := m.Must("reg", "query", variables, "/v", "PATH"); strings.Count(said, programs) != 1 {
			t.Errorf("PATH is:\n%s", said)
		}
	}
	whole()
	msiexec(t, m, refusedByInstaller, "/i", first)
	whole()

	runner := installedRunner(t, m)
	runner.works(t)
	log := runner.withoutElevation(func() string { return msiexec(t, m, 0, "/x", second) })
	if !strings.Contains(log, "WARNING: the runners of this host and their services stay") {
		t.Errorf("the log does not say that a runner stays:\n%s", log)
	}
	runner.works(t)
	msiexec(t, m, 0, "/i", second)
	runner.goes(t)
	if log := runner.withoutElevation(func() string { return msiexec(t, m, 0, "/x", second) }); strings.Contains(log, "WARNING") {
		t.Errorf("the log says that runners stay, and there are none:\n%s", log)
	}
	after := traces(t, m)
	// The installer's own folder, and keys of its own that stay empty.
	ownOfInstaller := regexp.MustCompile(`^(C:\\windows|HKEY_LOCAL_MACHINE\\Software.*)\\Installer(\\UserData(\\S-1-5-18)?)?(\\[A-Z][A-Za-z]+)?$`)
	for _, line := range after {
		if !slices.Contains(before, line) && !ownOfInstaller.MatchString(line) {
			t.Errorf("left: %s", line)
		}
	}
	for _, line := range before {
		if !slices.Contains(after, line) && !strings.HasPrefix(line, "reg: ") { // there was no such key

			t.Errorf("gone: %s", line)
		}
	}
}

func inFolder(folder string, names []string) []string {
	all := slices.Clone(names)
	for i := range all {
		all[i] = folder + `\` + all[i]
	}
	return all
}

// runs has the installed program run: it asks a GitHub that never answers.
func runs(t *testing.T, m *wine.Machine) *wine.Running {
	t.Helper()
	asked, release := make(chan struct{}, 100), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		asked <- struct{}{}
		<-release
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(release) })
	running := m.Start(programs+`\runner-bootstrap.exe`, "doctor", "--url", server.URL+"/o/r", "--token-file", `C:\packages\token`)
	select {
	case <-asked:
	case <-running.Ended():
		t.Fatalf("the program ended: %s", running.Said())
	}
	return running
}

// runnerFromMSI: with the package installed, a runner has a whole life, and after the package is gone there is nothing of ours
// but the cache.
func runnerFromMSI(t *testing.T, out string) {
	m := wine.Boot(t, wine.Options{})
	const file = `C:\packages\it.msi`
	m.Put(filepath.Join(out, "runner-bootstrap_windows_amd64.msi"), file)
	msiexec(t, m, 0, "/i", file)
	winelife.Service(t, m, programs+`\runner-bootstrap.exe`)
	if log := msiexec(t, m, 0, "/x", file); strings.Contains(log, "WARNING: the runners") || m.Exists(programs+`\runner-bootstrap.exe`) {
		t.Errorf("the program is left, or a runner was:\n%s", log)
	}
}

// runnerFromZip: so has one of the program as it comes out of the archive.
func runnerFromZip(t *testing.T, out string) {
	m := wine.Boot(t, wine.Options{})
	folder := t.TempDir()
	command(t, "unzip", "-q", filepath.Join(out, "runner-bootstrap_windows_amd64.zip"), "-d", folder)
	found, err := filepath.Glob(filepath.Join(folder, "*", "runner-bootstrap.exe"))
	if err != nil || len(found) == 0 {
		found = []string{filepath.Join(folder, "runner-bootstrap.exe")}
	}
	m.Put(found[0], winelife.Program)
	winelife.Service(t, m, winelife.Program)
}

// packaged is a runner that the program of a package has installed, as a service.
type packaged struct {
	m      *wine.Machine
	server *githubtest.Server
}

const (
	msiProgram = programs + `\runner-bootstrap.exe`
	elevates   = msiProgram + ".manifest"
)

func installedRunner(t *testing.T, m *wine.Machine) *packaged {
	t.Helper()
	listener, err := githubtest.BuildListener(t.Context(), t.TempDir(), "windows", "amd64")
	if err != nil {
		t.Fatal(err)
	}
	archive, err := githubtest.NewArchive(githubtest.ArchiveSpec{Platform: "win-x64", Version: "2.337.0", Listener: listener})
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
	m.Write(`C:\packages\token`, server.Token())
	m.Elevate(msiProgram)
	if r := m.Run(t.Context(), msiProgram, "install", "--url", server.URL()+"/octo-org", "--name", "vm", "--token-file", `C:\packages\token`); r.Code != 0 {
		t.Fatalf("install: %s", r)
	}
	return &packaged{m, server}
}

// withoutElevation does something while nothing but the package's own files is in its folder.
func (p *packaged) withoutElevation(do func() string) string {
	p.m.Must("cmd", "/c", "del", elevates)
	defer func() {
		if p.m.Exists(msiProgram) {
			p.m.Elevate(msiProgram)
		}
	}()
	return do()
}

// works: the runner does a job.
func (p *packaged) works(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	job := p.server.QueueJob("vm", githubtest.Job{Script: "ver"})
	if conclusion, err := job.Wait(ctx); err != nil || conclusion != "succeeded" {
		t.Errorf("the job %s, %v: %s", conclusion, err, job.Output())
	}
}

// goes: the runner is removed, here and at GitHub, and so is what stays of ours.
func (p *packaged) goes(t *testing.T) {
	t.Helper()
	p.m.Elevate(msiProgram)
	if r := p.m.Run(t.Context(), msiProgram, "uninstall", "--token-file", `C:\packages\token`); r.Code != 0 {
		t.Errorf("uninstall: %s", r)
	}
	if left := p.server.Runners(""); len(left) > 0 {
		t.Errorf("GitHub still lists %v", left)
	}
	p.m.Must("cmd", "/c", "rmdir", "/s", "/q", `C:\ProgramData\runner-bootstrap`)
}
