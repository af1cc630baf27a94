//go:build unix

package account

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// stranger is an account that has nothing to do with the one who runs the test.
func stranger() User {
	return User{Name: "stranger", UID: 54321, GID: 54322, Groups: []int{54322, 54323}, Home: "/nonexistent"}
}

// open is a directory that everybody may list and pass, from the root on.
func open(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if barrier := stranger().Barrier(filepath.Join(dir, "x")); barrier != "" {
		t.Fatalf("temporary files lie below %q, which not everybody may list: set TMPDIR", barrier)
	}
	return dir
}

func TestBarrier(t *testing.T) {
	t.Parallel()
	us := User{UID: os.Geteuid(), GID: os.Getegid()}
	inOurGroup := stranger()
	inOurGroup.Groups = append(inOurGroup.Groups, us.GID)
	withOurGroup := stranger()
	withOurGroup.GID = us.GID
	for _, c := range []struct {
		name string
		mode fs.FileMode
		user User
		stop bool
	}{
		{"others may list and pass", 0o755, stranger(), false},
		{"others may only pass", 0o711, stranger(), true},
		{"others may only list", 0o754, stranger(), true},
		{"others may nothing", 0o770, stranger(), true},
		{"its group may", 0o750, inOurGroup, false},
		{"its primary group may", 0o750, withOurGroup, false},
		{"its group may not, though others may", 0o705, inOurGroup, true},
		{"its group may only pass", 0o715, inOurGroup, true},
		{"root needs no permission", 0o000, User{UID: 0}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(open(t), "home")
			root := filepath.Join(dir, "runners", "web-1")
			if err := os.MkdirAll(filepath.Dir(root), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(dir, c.mode); err != nil {
				t.Fatal(err)
			}
			defer os.Chmod(dir, 0o700) // for the clean-up
			want := ""
			if c.stop {
				want = dir
			}
			if got := c.user.Barrier(root); got != want {
				t.Errorf("the barrier is %q, want %q", got, want)
			}
			if got := c.user.Barrier(dir); got != "" {
				t.Errorf("a directory is a barrier to itself: %q", got)
			}
		})
	}
}

func TestBarrierOfAnOwner(t *testing.T) {
	t.Parallel()
	dir := open(t)
	owner := User{UID: os.Geteuid(), GID: os.Getegid()}
	if owner.UID == 0 { // root has no barriers, so somebody else must own it
		owner = stranger()
		if err := os.Chown(dir, owner.UID, owner.GID); err != nil {
			t.Fatal(err)
		}
	}
	for mode, stop := range map[fs.FileMode]bool{0o500: false, 0o700: false, 0o400: true, 0o100: true, 0o077: true} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		if got := owner.Barrier(filepath.Join(dir, "x")); (got == dir) != stop {
			t.Errorf("with mode %#o the barrier is %q", mode, got)
		}
	}
	if err := os.Chmod(dir, 0o700); err != nil { // for the clean-up
		t.Fatal(err)
	}
}

// A home is the account's own if it can write to it: a service may have "/" or one of
// the system's directories.
func TestOwnHome(t *testing.T) {
	t.Parallel()
	dir := open(t)
	us := User{UID: os.Geteuid(), GID: os.Getegid()}
	mine, shared := stranger(), stranger()
	mine.Groups = append(mine.Groups, us.GID)
	for _, c := range []struct {
		name string
		mode fs.FileMode
		user User
		own  bool
	}{
		{"its own", 0o700, us, true},
		{"of its group, which may write", 0o770, mine, true},
		{"of its group, which may not", 0o755, mine, false},
		{"everybody's", 0o777, shared, true},
		{"of somebody else", 0o755, shared, false},
	} {
		home := filepath.Join(dir, c.name)
		if err := os.Mkdir(home, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(home, c.mode); err != nil {
			t.Fatal(err)
		}
		c.user.Home = home
		if got := c.user.OwnHome(); (got == home) != c.own {
			t.Errorf("%s: %q", c.name, got)
		}
	}
	for _, home := range []string{"", "/", "home/x", "/nonexistent", "/dev/null", "/usr/sbin"} {
		u := stranger()
		if u.Home = home; u.OwnHome() != "" {
			t.Errorf("%q is its own", home)
		}
	}
}

func TestBarrierThatIsNotThereYet(t *testing.T) {
	t.Parallel()
	if got := stranger().Barrier(filepath.Join(open(t), "none", "none", "web-1")); got != "" {
		t.Errorf("the barrier is %q", got)
	}
}

// What is started runs in a group of its own and, if root starts it, as the
// account and nothing more.
func TestAs(t *testing.T) {
	t.Parallel()
	u, err := Lookup("")
	if err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		u = stranger()
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", `id -u; id -g; id -G; ps -o pgid= -p $$ 2>/dev/null || cut -d" " -f5 /proc/$$/stat; echo $$; umask`)
	cmd.Dir = "/"
	cmd.Env = u.Environment("/")
	u.As(cmd)
	text, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	if lines[0] != strconv.Itoa(u.UID) || lines[1] != strconv.Itoa(u.GID) {
		t.Errorf("it ran as %s:%s, want %d:%d", lines[0], lines[1], u.UID, u.GID)
	}
	var groups []int
	for _, word := range strings.Fields(lines[2]) {
		gid, err := strconv.Atoi(word)
		if err != nil {
			t.Fatal(err)
		}
		groups = append(groups, gid)
	}
	if slices.Sort(groups); !u.Self && !slices.Equal(groups, u.Groups) {
		t.Errorf("it had the groups %v, want %v", groups, u.Groups)
	}
	if strings.TrimSpace(lines[3]) != lines[4] {
		t.Errorf("it ran in process group %s, want one of its own, %s", lines[3], lines[4])
	}
}

func TestOwnGivesAwayTheLinkAndNotItsTarget(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("file", link); err != nil {
		t.Fatal(err)
	}
	other := stranger()
	if os.Geteuid() != 0 {
		other = User{UID: os.Geteuid(), GID: os.Getegid()} // others cannot be given anything
	}
	if err := other.Own(link); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{link: other.UID, file: os.Geteuid()} {
		info, err := os.Lstat(path)
		if err != nil || int(info.Sys().(*syscall.Stat_t).Uid) != want {
			t.Errorf("%s belongs to %+v, %v, want uid %d", path, info.Sys(), err, want)
		}
	}
	if err := (User{Self: true}).Own(filepath.Join(dir, "none")); err != nil {
		t.Errorf("what is ours already: %v", err)
	}
	if err := other.Own(filepath.Join(dir, "none")); err == nil {
		t.Error("what is not there was given away")
	}
}

func TestCreateOfOneThatExists(t *testing.T) {
	t.Parallel()
	us, err := Lookup("")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Create(t.Context(), us.Name); err != nil || got.UID != us.UID {
		t.Errorf("%+v, %v", got, err)
	}
}

// A home that was just made is its account's alone; what was there before is left as it is.
func TestCloseHome(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, c := range map[string]struct {
		uid    int
		make   func(home string) error
		closes bool
		fails  bool
	}{
		"just made":     {os.Getuid(), func(home string) error { return os.Mkdir(home, 0o755) }, true, false},
		"another's":     {os.Getuid() + 1, func(home string) error { return os.Mkdir(home, 0o755) }, false, false},
		"none":          {os.Getuid(), func(string) error { return nil }, false, false},
		"a link":        {os.Getuid(), func(home string) error { return os.Symlink(dir, home) }, false, true},
		"not a folder":  {os.Getuid(), func(home string) error { return os.WriteFile(home, nil, 0o755) }, false, true},
		"a broken link": {os.Getuid(), func(home string) error { return os.Symlink("none", home) }, false, true},
	} {
		home := filepath.Join(dir, name)
		if err := c.make(home); err != nil {
			t.Fatal(err)
		}
		err := User{Name: "ci", UID: c.uid, Home: home}.closeHome()
		if (err != nil) != c.fails {
			t.Errorf("%s: %v", name, err)
		}
		info, err := os.Lstat(home)
		if err == nil && info.IsDir() && (info.Mode().Perm() == 0o700) != c.closes {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() == 0o700 {
		t.Errorf("what a link leads to: %v, %v", info, err)
	}
}

// useradd refuses such a name, no matter who asks.
func TestCreateThatIsRefused(t *testing.T) {
	t.Parallel()
	_, err := Create(t.Context(), "-no:name")
	if err == nil || !strings.Contains(err.Error(), `creating account "-no:name"`) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Create(ctx, "no-such-account-here"); err == nil {
		t.Error("an account was created after the end of the context")
	}
}

// What an account may not read has a name: the folder that bars it, or the file.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	u := stranger()
	for name, c := range map[string]struct {
		folder, file fs.FileMode
		want         string // of what; empty: it can be read
	}{
		"for all":               {0o755, 0o644, ""},
		"a folder to pass":      {0o711, 0o644, ""}, // it need not be listed
		"a folder to list":      {0o744, 0o644, "folder"},
		"a folder of others":    {0o700, 0o644, "folder"},
		"a file of others":      {0o755, 0o640, "folder/file"},
		"both":                  {0o700, 0o600, "folder"},
		"to be executed, alone": {0o755, 0o711, "folder/file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := open(t)
			folder := filepath.Join(dir, "folder")
			file := filepath.Join(folder, "file")
			if err := errors.Join(os.Mkdir(folder, 0o755), os.WriteFile(file, nil, 0o600), os.Symlink(file, filepath.Join(dir, "link"))); err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(os.Chmod(file, c.file), os.Chmod(folder, c.folder)); err != nil {
				t.Fatal(err)
			}
			defer os.Chmod(folder, 0o755) // for the clean-up
			want := ""
			if c.want != "" {
				want = filepath.Join(dir, c.want)
			}
			if got := u.Unreadable(file); got != want {
				t.Errorf("the file: %q, want %q", got, want)
			}
			if os.Geteuid() != 0 && c.want != "" {
				return // nor may we look behind the link
			}
			if got := u.Unreadable(filepath.Join(dir, "link")); got != want && got != filepath.Join(dir, "link") {
				t.Errorf("by a link: %q, want %q", got, want)
			}
		})
	}
	if got := u.Unreadable("/nonexistent/file"); got != "/nonexistent" {
		t.Errorf("what is not there: %q", got)
	}
}

// A folder of certificates is listed as well.
func TestUnreadableFolder(t *testing.T) {
	t.Parallel()
	dir := open(t)
	for mode, can := range map[fs.FileMode]bool{0o755: true, 0o711: false, 0o744: false} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		if got := stranger().Unreadable(dir); (got == "") != can {
			t.Errorf("with mode %#o %q", mode, got)
		}
	}
}
