//go:build unix

package volume

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// What a trial needs names for is in a folder of this name. One that is older than any trial is of a killed one.
	prefix = ".runner-bootstrap-trial-"
	old    = time.Minute
	// longest is as long as any name in a runner, and in what npm and .NET put beside it.
	longest = 128

	triedFile, triedOther, triedLink, triedProgram = "file", "other", "link", "program"
)

// Trial is what a file system is tried with: a file that vanishes with this process, however it ends, where the kind of file
// system is known for all the rest; and else a folder with some files, which the next trial of this directory
// removes if this process is killed. Close ends it. Others may be able to change the directory meanwhile: nothing is made
// or removed by a way that leads out of it.
type Trial struct {
	dir  string
	file *os.File
	// What has a name is in a folder of dir; nil if nothing has.
	in     *os.Root
	folder *os.Root
	name   string // of the folder
}

// Try makes a file in dir. An error is why nothing can be made there.
func Try(dir string) (*Trial, error) {
	if file, err := nameless(dir); err == nil {
		return &Trial{dir: dir, file: file}, nil
	} else if !errors.Is(err, errNamed) {
		return nil, err
	}
	return named(dir)
}

// named makes a trial in a folder.
func named(dir string) (*Trial, error) {
	in, err := os.OpenRoot(dir)
	if err != nil {
		return nil, short(err)
	}
	sweep(in)
	t := &Trial{dir: dir, in: in, name: prefix + strings.ToLower(rand.Text()[:10])}
	if err := in.Mkdir(t.name, 0o700); err != nil {
		return nil, errors.Join(short(err), in.Close())
	}
	if t.folder, err = in.OpenRoot(t.name); err == nil {
		t.file, err = t.folder.OpenFile(triedFile, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	}
	if err != nil {
		return nil, errors.Join(short(err), t.Close())
	}
	return t, nil
}

// Close takes away what was made, and returns what cannot be.
func (t *Trial) Close() error {
	var err error
	if t.file != nil {
		err = t.file.Close()
	}
	if t.in == nil {
		return nil // nothing was written that anybody needs
	}
	if t.folder != nil {
		err = errors.Join(err, clearFolder(t.folder), t.folder.Close())
	}
	return errors.Join(err, short(t.in.Remove(t.name)), t.in.Close())
}

// clearFolder removes what a trial makes in its folder, and nothing else.
func clearFolder(folder *os.Root) error {
	for _, name := range []string{triedFile, triedOther, triedLink, triedProgram, strings.Repeat("n", longest)} {
		if err := folder.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENAMETOOLONG) {
			return short(err)
		}
	}
	return nil
}

// sweep removes what killed trials of this account have left.
func sweep(in *os.Root) {
	list, err := in.Open(".")
	if err != nil {
		return
	}
	defer list.Close()
	names, err := list.Readdirnames(-1)
	if err != nil {
		return
	}
	for _, name := range names {
		if strings.HasPrefix(name, prefix) {
			sweepFolder(in, name)
		}
	}
}

func sweepFolder(in *os.Root, name string) {
	info, err := in.Lstat(name)
	if err != nil || !info.IsDir() || time.Since(info.ModTime()) < old {
		return
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); !ok || int(stat.Uid) != os.Geteuid() {
		return
	}
	folder, err := in.OpenRoot(name)
	if err != nil {
		return
	}
	defer folder.Close()
	if now, err := folder.Stat("."); err != nil || !os.SameFile(info, now) {
		return
	}
	if clearFolder(folder) == nil {
		_ = in.Remove(name) // not if something else is in it
	}
}

// Own gives the file to an account.
func (t *Trial) Own(uid, gid int) error { return short(t.file.Chown(uid, gid)) }

// Modes tells whether a file keeps the mode that it is given.
func (t *Trial) Modes() error {
	if t.folder == nil {
		return nil
	}
	for _, mode := range []fs.FileMode{0o755, 0o600} {
		if err := t.file.Chmod(mode); err != nil {
			return short(err)
		}
		info, err := t.file.Stat()
		if err != nil {
			return short(err)
		}
		if info.Mode().Perm() != mode {
			return fmt.Errorf("a file that was given mode %04o has %04o", mode, info.Mode().Perm())
		}
	}
	return nil
}

// Links tells whether there can be symbolic links.
func (t *Trial) Links() error {
	if t.folder == nil {
		return nil
	}
	return short(t.folder.Symlink(triedFile, triedLink))
}

// Names tells whether a name can be as long as those of a runner.
func (t *Trial) Names() error {
	if t.folder == nil {
		return nil
	}
	return t.make(strings.Repeat("n", longest))
}

// Replaces tells whether a file can take the place of another one.
func (t *Trial) Replaces() error {
	if t.folder == nil {
		return nil
	}
	if err := t.make(triedOther); err != nil {
		return err
	}
	return short(t.folder.Rename(triedOther, triedFile))
}

// Locks tells whether a file can be locked.
func (t *Trial) Locks() error {
	if t.folder == nil {
		return nil
	}
	return syscall.Flock(int(t.file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}

// Syncs tells whether it can be waited for until a file is on the disk.
func (t *Trial) Syncs() error {
	if t.folder == nil {
		return nil
	}
	return short(t.file.Sync())
}

// Folds tells whether names that differ by case alone are the same. Where that is not known, it says no.
func (t *Trial) Folds() bool {
	if t.folder == nil {
		return folds(t.dir)
	}
	_, err := t.folder.Lstat(strings.ToUpper(triedFile))
	return err == nil
}

// Execute tells why the account cannot start a program that lies there; negative numbers stand for that of this process.
// What is not the file system's doing is no reason, nor is what is not known of the processor.
func (t *Trial) Execute(uid, gid int) error {
	program := tiny()
	if program == nil {
		return nil
	}
	path, file, err := t.program(program)
	if err != nil {
		return nil //nolint:nilerr // what cannot be made there is told by the others
	}
	var inherited []*os.File
	if file != nil {
		defer file.Close()
		inherited = append(inherited, file)
	}
	const tries = 20
	for try := 1; ; try++ {
		cmd := exec.CommandContext(context.Background(), path) //nolint:gosec // it is ours
		cmd.Dir, cmd.Env, cmd.ExtraFiles = "/", []string{}, inherited
		cmd.SysProcAttr = &syscall.SysProcAttr{}
		if uid > 0 && os.Geteuid() == 0 {
			cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(max(gid, 0))} //nolint:gosec // not negative
		}
		err := cmd.Start()
		switch {
		case err == nil:
			_ = cmd.Wait() // it has started; how it ends says nothing of the file system
			return nil
		case errors.Is(err, unix.ETXTBSY) && try < tries:
			// Another thread has forked while the file was open to be written, and is about to close it.
			<-time.After(time.Duration(try) * time.Millisecond)
		case errors.Is(err, fs.ErrPermission), errors.Is(err, unix.ENOSYS), errors.Is(err, unix.ENOEXEC):
			return short(err)
		default:
			return nil //nolint:nilerr // too many processes, no /proc: it will be seen
		}
	}
}

func (t *Trial) make(name string) error {
	file, err := t.folder.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return short(err)
	}
	return short(file.Close())
}

// short is the system's reason without names that say nothing to anybody.
func short(err error) error {
	var number syscall.Errno
	if errors.As(err, &number) {
		return number
	}
	return err
}
