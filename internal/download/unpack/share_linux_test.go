package unpack

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
)

const nobody = 65534

func sticky() Owner { return Owner{Sticky: true, GID: nobody} }

// marked unpacks a runner and marks it.
func marked(t *testing.T) (string, *Manifest, func(to string) error) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root gives a folder to another group")
	}
	from, m := unpacked(t, small(t))
	noted, err := m.Mark(t.Context(), from)
	if err != nil {
		t.Fatal(err)
	}
	return from, m, func(to string) error {
		after, err := Share(t.Context(), from, m, noted, to, sticky())
		if err == nil {
			noted = after
		}
		return err
	}
}

// TestShareIsTheSame: a runner of root's has the very files, in folders of its own, and a root directory to which the group
// may add. What was noted of the files fits for the next one, and then for no one who comes with what was noted before.
func TestShareIsTheSame(t *testing.T) {
	t.Parallel()
	from, m, share := marked(t)
	before, err := m.Mark(t.Context(), from)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	to := filepath.Join(dir, "web-1")
	for _, to := range []string{to, filepath.Join(dir, "web-2"), filepath.Join(dir, "web-3")} {
		if err := share(to); err != nil {
			t.Fatal(err)
		}
		if err := m.Check(t.Context(), to); err != nil {
			t.Error(err)
		}
	}
	for path := range below(t, from, "") {
		name := strings.TrimPrefix(path, from)
		theirs, errTheirs := os.Lstat(path)
		ours, errOurs := os.Lstat(filepath.Join(to, name))
		if err := errors.Join(errTheirs, errOurs); err != nil {
			t.Fatal(err)
		}
		if same := os.SameFile(theirs, ours); same != theirs.Mode().IsRegular() {
			t.Errorf("%s is the same: %v", name, same)
		}
		if owner := ours.Sys().(*syscall.Stat_t); name != "" && (owner.Uid != 0 || owner.Gid != 0) {
			t.Errorf("%s belongs to %d:%d", name, owner.Uid, owner.Gid)
		}
	}
	var st unix.Stat_t
	if err := unix.Stat(to, &st); err != nil || st.Mode != unix.S_IFDIR|unix.S_ISVTX|0o770 || st.Uid != 0 || st.Gid != nobody {
		t.Errorf("the root directory has mode %o and belongs to %d:%d, %v", st.Mode, st.Uid, st.Gid, err)
	}
	if _, err := Share(t.Context(), from, m, before, filepath.Join(dir, "web-4"), sticky()); !errors.Is(err, ErrStale) {
		t.Errorf("with the stamp from before: %v, want %v", err, ErrStale)
	}
	if err := share(to); !errors.Is(err, fs.ErrExist) {
		t.Errorf("to a place that is taken: %v", err)
	}
	if entries, err := os.ReadDir(dir); len(entries) != 3 || err != nil {
		t.Errorf("there are %v, %v", entries, err)
	}
}

// TestShareLeavesNothingToJobs: what an account may do in a runner of root's, tried by the kernel.
func TestShareLeavesNothingToJobs(t *testing.T) {
	t.Parallel()
	from, m, share := marked(t)
	dir := t.TempDir()
	for open := dir; open != os.TempDir() && open != "/"; open = filepath.Dir(open) {
		if err := os.Chmod(open, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	to := filepath.Join(dir, "web-1")
	if err := share(to); err != nil {
		t.Fatal(err)
	}
	job := func(script string) error {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", script)
		cmd.Dir = to
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 12345, Gid: nobody}}
		return cmd.Run()
	}
	for _, refused := range []string{
		"echo evil > config.sh", "rm -f config.sh", "mv bin bin.old", "ln -sf /etc bin/x", "echo > bin/new", "chmod 777 run.sh", "rm -rf externals/node20",
		"mv run.sh other.sh", "ln run.sh other.sh && echo evil > other.sh", "chmod 777 .", "touch run.sh", "truncate -s 0 externals/big",
	} {
		if err := job(refused); err == nil {
			t.Errorf("a job may: %s", refused)
		}
	}
	if err := job("test -x config.sh && cat run.sh && mkdir _work _diag && echo x > .runner && rm .runner && echo x > .credentials && rm -r _diag _work .credentials"); err != nil {
		t.Errorf("a job may not do what the runner does: %v", err)
	}
	os.Remove(filepath.Join(to, "other.sh"))
	for _, tree := range []string{from, to} {
		if err := m.Check(t.Context(), tree); err != nil {
			t.Errorf("after the job: %v", err)
		}
	}
}

// TestShareSpreadsNoDamage: whatever has happened to the source, what is made of it is right, or nothing is made.
func TestShareSpreadsNoDamage(t *testing.T) {
	t.Parallel()
	all := append(damages(),
		damage{"another owner", func(dir string) error { return os.Chown(filepath.Join(dir, "run.sh"), nobody, 0) }, "", true},
		damage{"an owner who left again", func(dir string) error {
			return errors.Join(os.Chown(filepath.Join(dir, "run.sh"), nobody, 0), os.Chown(filepath.Join(dir, "run.sh"), 0, 0))
		}, "", true},
	)
	for _, c := range all {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			from, m, share := marked(t)
			if err := c.do(from); err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			to := filepath.Join(dir, "web-1")
			err := share(to)
			switch {
			case err == nil && c.content:
				t.Error("it was not seen")
			case err == nil:
				if err := m.Check(t.Context(), to); err != nil {
					t.Errorf("it was spread: %v", err)
				}
			case !errors.Is(err, ErrStale) && !errors.Is(err, ErrDamaged):
				t.Errorf("%v, want %v or %v", err, ErrStale, ErrDamaged)
			default:
				wantNothing(t, to)
			}
		})
	}
}

// TestMarkKnowsItsOwner: what belongs to an account cannot be marked.
func TestMarkKnowsItsOwner(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"run.sh", "bin", "externals/big"} {
		from, m, _ := marked(t)
		if err := os.Chown(filepath.Join(from, name), nobody, -1); err != nil {
			t.Fatal(err)
		}
		if _, err := m.Mark(t.Context(), from); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is an account's: %v, want %v", name, err, ErrDamaged)
		}
	}
}

// TestShareAcrossFileSystems: there it is not possible, and nothing is left.
func TestShareAcrossFileSystems(t *testing.T) {
	t.Parallel()
	_, _, share := marked(t)
	other, err := os.MkdirTemp("/dev/shm", "share") //nolint:usetesting // it has to be another file system
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(other) })
	to := filepath.Join(other, "web-1")
	if err := share(to); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("%v, want %v", err, errors.ErrUnsupported)
	}
	wantNothing(t, to)
}

// TestCloneForAGroup: a copy may be root's as well.
func TestCloneForAGroup(t *testing.T) {
	t.Parallel()
	from, m, _ := marked(t)
	to := filepath.Join(t.TempDir(), "web-1")
	if err := Clone(t.Context(), from, m, to, sticky()); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Mark(t.Context(), to); err != nil {
		t.Errorf("it cannot be marked: %v", err)
	}
	var st unix.Stat_t
	if err := unix.Stat(to, &st); err != nil || st.Mode != unix.S_IFDIR|unix.S_ISVTX|0o770 || st.Uid != 0 || st.Gid != nobody {
		t.Errorf("the root directory has mode %o and belongs to %d:%d, %v", st.Mode, st.Uid, st.Gid, err)
	}
	if err := unix.Stat(filepath.Join(to, "run.sh"), &st); err != nil || st.Uid != 0 || st.Gid != 0 || st.Nlink != 1 {
		t.Errorf("run.sh belongs to %d:%d and has %d names, %v", st.Uid, st.Gid, st.Nlink, err)
	}
}

// TestMade: what was unpacked is known without another look, and what was read, or has two names, is not.
func TestMade(t *testing.T) {
	t.Parallel()
	dir, m := unpacked(t, packed(t, githubtest.ArchiveSpec{Padding: 300_000, Extra: []githubtest.Entry{{Name: "./externals/link", Type: '2', Link: "node20"}}}))
	found, err := m.Mark(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if made := m.Made(); !made.Fits(found) {
		t.Errorf("it is known as %v, and found as %v", made, found)
	}
	read, err := ReadManifest(strings.NewReader(textOf(t, m)))
	if err != nil {
		t.Fatal(err)
	}
	if made := read.Made(); made != nil {
		t.Errorf("what was read is known as %v", made)
	}
	_, linked := unpacked(t, small(t))
	if made := linked.Made(); made != nil {
		t.Errorf("what has two names is known as %v", made)
	}
}
