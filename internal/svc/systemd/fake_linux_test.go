package systemd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

// fakeFolder is the variable that makes the test's own binary behave as systemctl, journalctl, loginctl or poweroff, by the name
// that it is called by. In that folder are:
//
//	units/       what /etc/systemd/system is
//	calls        one line for each call, without the options that all have
//	active       the word that show gives as ActiveState; inactive without
//	fail-VERB    what VERB writes to stderr before it exits with 1
//	hang-VERB    VERB waits until it is killed
//	struck-VERB  VERB ends itself as an interrupt would, and takes the file away
//	idle-VERB    VERB does nothing
//	slow-stop    stop leaves the unit deactivating, for as many looks as the file has bytes
//	kill-options what options kill was last called with; stop-options those of the first stop
//	poweroff-words what poweroff was last called with
//	main-pid     what show gives as MainPID
//	journal      what journalctl prints
//	user         what loginctl show-user prints
//	version      what --version prints
//	exit-status  what show gives as the exit status of the main process
const fakeFolder = "SVC_TEST_FAKE_FOLDER"

func TestMain(m *testing.M) {
	if folder := os.Getenv(fakeFolder); folder != "" {
		os.Exit(fakeProgram(folder, filepath.Base(os.Args[0]), os.Args[1:]))
	}
	os.Exit(m.Run())
}

func fakeProgram(folder, program string, args []string) int {
	words := slices.DeleteFunc(slices.Clone(args), func(a string) bool { return strings.HasPrefix(a, "-") && a != "--force" })
	verb := program
	switch {
	case program == "systemctl" && slices.Equal(args, []string{"--version"}):
		verb = "version"
	case program == "systemctl", program == "loginctl" && words[0] != "show-user":
		verb = words[0]
	}
	file := func(name string) string { return filepath.Join(folder, name) }
	calls, err := os.OpenFile(file("calls"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return 99
	}
	if _, err := fmt.Fprintln(calls, strings.Join(append([]string{program}, words...), " ")); err != nil {
		return 99
	}
	if _, err := os.Stat(file("hang-" + verb)); err == nil {
		time.Sleep(time.Minute) // the test kills it long before
	}
	if os.Remove(file("struck-"+verb)) == nil {
		_ = syscall.Kill(os.Getpid(), syscall.SIGINT) // the test sees what becomes of it
		time.Sleep(time.Minute)
	}
	if text, err := os.ReadFile(file("fail-" + verb)); err == nil {
		fmt.Fprint(os.Stderr, string(text))
		return 1
	}
	if _, err := os.Stat(file("idle-" + verb)); err == nil {
		return 0
	}
	switch verb {
	case "journalctl":
		text, _ := os.ReadFile(file("journal"))
		fmt.Print(string(text))
	case "show":
		fmt.Print(fakeShow(folder))
	case "enable":
		link := file("units/multi-user.target.wants/a.service")
		err = errors.Join(os.MkdirAll(filepath.Dir(link), 0o755), remove(link), os.Symlink(file("units/a.service"), link))
	case "start", "restart":
		err = os.WriteFile(file("active"), []byte("active"), 0o600)
	case "stop":
		err = errors.Join(fakeOptions(file("stop-options"), os.O_EXCL), os.WriteFile(file("active"), []byte("inactive"), 0o600))
		if _, slow := os.Stat(file("slow-stop")); slow == nil {
			err = os.WriteFile(file("active"), []byte("deactivating"), 0o600)
		}
	case "reset-failed":
		err = os.WriteFile(file("active"), []byte("inactive"), 0o600)
	case "kill":
		err = fakeOptions(file("kill-options"), os.O_TRUNC)
	case "version":
		text, _ := os.ReadFile(file("version"))
		fmt.Print(string(text))
	case "poweroff":
		err = os.WriteFile(file("poweroff-words"), []byte(strings.Join(args, " ")), 0o600)
	case "loginctl":
		text, _ := os.ReadFile(file("user"))
		fmt.Print(string(text))
	case "daemon-reload", "disable-linger":
	default:
		err = errors.New("unexpected verb")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 98
	}
	return 0
}

// fakeOptions notes what this call has beside its words and what all calls have.
func fakeOptions(name string, flag int) error {
	options := slices.DeleteFunc(os.Args[3:], func(a string) bool { return !strings.HasPrefix(a, "-") || a == "--" })
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|flag, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err == nil {
		_, err = file.WriteString(strings.Join(options, " "))
	}
	return errors.Join(err, file.Close())
}

func fakeShow(folder string) string {
	active := "inactive"
	if text, err := os.ReadFile(filepath.Join(folder, "active")); err == nil {
		active = string(text)
	}
	slow := filepath.Join(folder, "slow-stop")
	if left, err := os.ReadFile(slow); err == nil && active == "deactivating" {
		if len(left) == 0 {
			active = "inactive"
		} else if err := os.WriteFile(slow, left[1:], 0o600); err != nil {
			return err.Error()
		}
	}
	path := filepath.Join(folder, "units", "a.service")
	load, enabled := "loaded", "disabled"
	info, err := os.Stat(path)
	switch {
	case err != nil:
		load, path, enabled = "not-found", "", ""
	case info.Size() == 0:
		load = "masked"
	}
	if _, err := os.Stat(filepath.Join(folder, "units/multi-user.target.wants/a.service")); err == nil {
		enabled = "enabled"
	}
	pid, ended := "0", ""
	if text, err := os.ReadFile(filepath.Join(folder, "main-pid")); err == nil {
		pid = string(text)
	}
	if status, err := os.ReadFile(filepath.Join(folder, "exit-status")); err == nil {
		ended = "ExecMainCode=1\nExecMainStatus=" + string(status) + "\n"
	}
	return ended + fmt.Sprintf("LoadState=%s\nActiveState=%s\nSubState=x\nUnitFileState=%s\nFragmentPath=%s\nMainPID=%s\n",
		load, active, enabled, path, pid)
}

// fake is a host that consists of a folder.
type fake struct {
	t      *testing.T
	folder string
	*Service
}

// fakeInstaller stands in for kardianos/service; nil functions do what that does when all goes well.
type fakeInstaller struct {
	path, text         string
	install, uninstall func(path string) error
}

func (f fakeInstaller) Install() error {
	if f.install != nil {
		return f.install(f.path)
	}
	link := filepath.Join(filepath.Dir(f.path), "multi-user.target.wants", filepath.Base(f.path))
	return errors.Join(os.MkdirAll(filepath.Dir(link), 0o755), os.Symlink(f.path, link),
		os.WriteFile(f.path, []byte(f.text), 0o600), os.Chmod(f.path, unitMode))
}

func (f fakeInstaller) Uninstall() error {
	if f.uninstall != nil {
		return f.uninstall(f.path)
	}
	return errors.Join(os.Remove(f.path),
		os.Remove(filepath.Join(filepath.Dir(f.path), "multi-user.target.wants", filepath.Base(f.path))))
}

func newFake(t *testing.T, with fakeInstaller) *fake {
	t.Helper()
	folder := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, program := range []string{"systemctl", "journalctl", "loginctl", "poweroff"} {
		if err := os.Symlink(self, filepath.Join(folder, program)); err != nil {
			t.Fatal(err)
		}
	}
	units := filepath.Join(folder, "units")
	if err := os.Mkdir(units, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv(fakeFolder, folder)
	t.Setenv("GORACE", "atexit_sleep_ms=0") // or each call of the fake ends a second late
	s, err := New(svc.Unit{Name: "a", Executable: "/bin/a", Directory: "/"})
	if err != nil {
		t.Fatal(err)
	}
	s.host = host{
		folder:    units,
		available: func() error { return nil },
		find:      func(program string) (string, error) { return filepath.Join(folder, program), nil },
		installer: func(_ svc.Unit, text string) (unitInstaller, error) {
			with.path, with.text = filepath.Join(units, "a.service"), text
			return with, nil
		},
	}
	return &fake{t: t, folder: folder, Service: s}
}

func (f *fake) put(name, content string) {
	f.t.Helper()
	if err := os.WriteFile(filepath.Join(f.folder, name), []byte(content), 0o644); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fake) read(name string) string {
	f.t.Helper()
	content, err := os.ReadFile(filepath.Join(f.folder, name))
	if err != nil {
		f.t.Fatal(err)
	}
	return string(content)
}

// calls returns what was called since it was last asked, without the looks at the state.
func (f *fake) calls() []string {
	f.t.Helper()
	name := filepath.Join(f.folder, "calls")
	text, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		f.t.Fatal(err)
	}
	if err := remove(name); err != nil {
		f.t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return slices.DeleteFunc(lines, func(l string) bool { return l == "" || strings.HasPrefix(l, "systemctl show") })
}

func (f *fake) called(want ...string) {
	f.t.Helper()
	if got := f.calls(); !slices.Equal(got, want) {
		f.t.Errorf("called %q, not %q", got, want)
	}
}

// units lists everything below the units' folder, with the content of files.
func (f *fake) units() map[string]string {
	f.t.Helper()
	found := map[string]string{}
	root := filepath.Join(f.folder, "units")
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content := []byte("link")
		if entry.Type().IsRegular() {
			content, err = os.ReadFile(name)
		}
		found[strings.TrimPrefix(name, root+"/")] = string(content)
		return err
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return found
}
