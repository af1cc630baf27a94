//go:build unix

package register

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
)

// victim is a file outside a runner root that its jobs would like to read, or
// to have overwritten.
func victim(t *testing.T) (root, file string) {
	t.Helper()
	root, file = t.TempDir(), filepath.Join(t.TempDir(), "passwd")
	if err := os.WriteFile(file, []byte("root:x:0:0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		info, err := os.Lstat(file)
		if err != nil || info.Mode() != 0o600 || int(info.Sys().(*syscall.Stat_t).Uid) != os.Geteuid() {
			t.Errorf("it has become %v, %v", info, err)
		}
		if text, err := os.ReadFile(file); err != nil || string(text) != "root:x:0:0\n" {
			t.Errorf("it says %q, %v", text, err)
		}
	})
	return root, file
}

// writer is whom a runner root belongs to: nobody, where root runs the tests.
func writer(t *testing.T) account.User {
	t.Helper()
	if os.Geteuid() == 0 {
		return account.User{Name: "nobody", UID: 65534, GID: 65534, Groups: []int{65534}, Home: "/nonexistent"}
	}
	us, err := account.Lookup("")
	if err != nil {
		t.Fatal(err)
	}
	return us
}

func link(t *testing.T, target, name string) {
	t.Helper()
	if err := os.Symlink(target, name); err != nil {
		t.Fatal(err)
	}
}

func TestLinksAreReplacedAndNotWrittenThrough(t *testing.T) {
	t.Parallel()
	for _, names := range [][]string{{".service"}, {".service.new"}, {".service", ".service.new"}} {
		for _, relative := range []bool{false, true} {
			root, file := victim(t)
			target := file
			if relative {
				var err error
				if target, err = filepath.Rel(root, file); err != nil {
					t.Fatal(err)
				}
			}
			for _, name := range names {
				link(t, target, filepath.Join(root, name))
			}
			if err := WriteFile(root, ".service", []byte("text"), writer(t)); err != nil {
				t.Errorf("%q: %v", names, err)
			}
			info, err := os.Lstat(filepath.Join(root, ".service"))
			if err != nil || info.Mode() != 0o600 || int(info.Sys().(*syscall.Stat_t).Uid) != writer(t).UID {
				t.Errorf("%q: %v, %v", names, info, err)
			}
			if entries, err := os.ReadDir(root); err != nil || len(entries) != 1 {
				t.Errorf("%q: left %v, %v", names, entries, err)
			}
		}
	}
}

func TestLinkForTheEnvironment(t *testing.T) {
	t.Parallel()
	root, file := victim(t)
	link(t, file, filepath.Join(root, ".env"))
	if changed, err := WriteEnvironment(root, writer(t), []string{"A=1"}, nil); err == nil || changed || strings.Contains(err.Error(), "root:x") {
		t.Errorf("%t, %v: it was read, or written", changed, err)
	}
	root, file = victim(t)
	link(t, file, filepath.Join(root, ".env.new"))
	if changed, err := WriteEnvironment(root, writer(t), []string{"A=1"}, nil); err != nil || !changed {
		t.Errorf("%t, %v", changed, err)
	}
	if text, err := os.ReadFile(filepath.Join(root, ".env")); err != nil || string(text) != "A=1\n" {
		t.Errorf("%q, %v", text, err)
	}
}

// Folders in the place of files, full ones and deep ones, do not keep a command from its work.
func TestFoldersInTheWay(t *testing.T) {
	t.Parallel()
	root, file := victim(t)
	for _, name := range append(credentialFiles(), ".env", ".env.new", ".service") {
		if err := os.MkdirAll(filepath.Join(root, name, "x", "y"), 0o755); err != nil {
			t.Fatal(err)
		}
		link(t, file, filepath.Join(root, name, "x", "link"))
	}
	for range 2 {
		if changed, err := WriteEnvironment(root, writer(t), []string{"A=1"}, nil); err != nil {
			t.Errorf("%t, %v", changed, err)
		}
		if _, err := ReadSettings(root); !errors.Is(err, ErrNotConfigured) {
			t.Errorf("it has a registration: %v", err)
		}
		if err := errors.Join(Forget(root), RemoveFiles(root, ".service")); err != nil {
			t.Error(err)
		}
		if entries, err := os.ReadDir(root); err != nil || len(entries) != 1 || entries[0].Name() != ".env" {
			t.Errorf("left %v, %v", entries, err)
		}
	}
	if text, err := os.ReadFile(file); err != nil || len(text) == 0 {
		t.Errorf("what a link led to is %q, %v", text, err)
	}
	if err := WriteFile(filepath.Join(root, "none"), ".env", nil, writer(t)); err == nil {
		t.Error("without a root it was written")
	}
}

// Nothing that a job puts in the place of a file is waited for or believed.
func TestWhatIsNoFileIsNotRead(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func(t *testing.T, root, name string){
		"pipe": func(t *testing.T, root, name string) {
			if err := syscall.Mkfifo(filepath.Join(root, name), 0o666); err != nil {
				t.Fatal(err)
			}
		},
		"directory": func(t *testing.T, root, name string) {
			if err := os.Mkdir(filepath.Join(root, name), 0o755); err != nil {
				t.Fatal(err)
			}
		},
		"link out": func(t *testing.T, root, name string) {
			_, file := victim(t)
			link(t, file, filepath.Join(root, name))
		},
		"link to a device": func(t *testing.T, root, name string) { link(t, "/dev/zero", filepath.Join(root, name)) },
		"link to itself":   func(t *testing.T, root, name string) { link(t, name, filepath.Join(root, name)) },
		"link upwards":     func(t *testing.T, root, name string) { link(t, "..", filepath.Join(root, name)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, file := range []string{".runner", ".runner_migrated"} {
				root := t.TempDir()
				make(t, root, file)
				done := time.AfterFunc(20*time.Second, func() { panic("it is waited for") })
				got, err := ReadSettings(root)
				done.Stop()
				if err == nil || got != (Settings{}) {
					t.Errorf("%+v, %v", got, err)
				}
				if _, err := ReadFile(root, file); err == nil {
					t.Error("it was read")
				}
			}
		})
	}
	root := t.TempDir()
	put(t, root, map[string]string{"real": `{"agentId":7}`, ".credentials_migrated": "{}"})
	link(t, "real", filepath.Join(root, ".runner"))
	if got, err := ReadSettings(root); err != nil || got.ID != 7 {
		t.Errorf("through a link that stays inside: %+v, %v", got, err)
	}
	if err := Forget(root); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "real")); err != nil {
		t.Errorf("forgetting followed a link: %v", err)
	}
	if _, err := os.Lstat(filepath.Join(root, ".runner")); !os.IsNotExist(err) {
		t.Errorf("forgetting left the link: %v", err)
	}
}
