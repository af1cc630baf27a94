//go:build unix

package places

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/volume"
)

// try makes what a runner would make there, and takes it away.
func try(v volume.Volume, dir string, place Place, user account.User) (problem *Error) {
	trial, err := volume.Try(dir)
	switch {
	case errors.Is(err, unix.EROFS):
		return &Error{Path: dir, Reason: ErrReadOnly, On: v}
	case volume.IsFull(err):
		return &Error{Path: dir, Reason: download.ErrSpace, Detail: err.Error(), On: v}
	case errors.Is(err, fs.ErrPermission) && os.Geteuid() == 0:
		return &Error{Path: dir, Reason: ErrSquashed, Detail: "it may not even write there", On: v}
	case errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENOENT):
		return &Error{Path: dir, Reason: ErrLacking, Detail: "no file can be made: " + err.Error(), On: v}
	case err != nil:
		return &Error{Path: dir, Reason: err, On: v}
	}
	defer func() {
		if err := trial.Close(); err != nil && problem == nil {
			problem = &Error{Path: dir, Reason: ErrLacking, Detail: "no file can be removed: " + err.Error(), On: v}
		}
	}()
	for _, step := range trials(trial, place, user) {
		if err := step.run(); err != nil {
			detail := err.Error()
			if step.lacks != "" {
				detail = step.lacks + ": " + detail
			}
			return &Error{Path: dir, Reason: step.reason, Detail: detail, On: v}
		}
	}
	return nil
}

type trialStep struct {
	wanted bool
	run    func() error
	reason error // why it is refused if that fails
	lacks  string
}

// trials are the steps of a trial, the ones first that explain the others.
func trials(t *volume.Trial, place Place, user account.User) []trialStep {
	uid, gid := user.UID, user.GID
	if uid <= 0 || gid < 0 {
		uid, gid = someoneElse, someoneElse // an account that is yet to be created
	}
	return slices.DeleteFunc([]trialStep{
		{place.Linked || place.Executed, t.Links, ErrPlain, "no symbolic links"},
		{true, t.Modes, ErrPlain, "no modes"},
		{place.Given && os.Geteuid() == 0, func() error { return t.Own(uid, gid) }, ErrSquashed, ""},
		{true, t.Names, ErrLacking, "it takes no long names"},
		{true, t.Locks, ErrLacking, "files cannot be locked"},
		{true, t.Syncs, ErrLacking, "files cannot be written to the disk at once"},
		{true, t.Replaces, ErrLacking, "no file can take the place of another"},
		{place.Executed, func() error { return t.Execute(uid, gid) }, ErrNoStart, ""},
	}, func(s trialStep) bool { return !s.wanted })
}

// someoneElse is the number of an account that is not root and, other than nobody, not what a server takes root for.
const someoneElse = 1

// modeless tells whether modes cannot be changed where a path leads to, as on FAT and its kin.
func modeless(path string) bool {
	dir, err := volume.Existing(path)
	if err != nil {
		dir = filepath.Dir(path)
	}
	trial, err := volume.Try(dir)
	if err != nil {
		return volumeAt(dir).Plain
	}
	err = trial.Modes()
	return errors.Join(err, trial.Close()) != nil
}

// Folded says, in a sentence, that names which differ by case alone are the same in a folder for jobs; empty where they
// differ, and where it cannot be told. Jobs may do without, so that nothing is refused for it; on macOS they all know it.
func Folded(path string) string {
	dir, err := volume.Existing(path)
	if err != nil || runtime.GOOS == "darwin" {
		return ""
	}
	trial, err := volume.Try(dir)
	if err != nil {
		return ""
	}
	folds := trial.Folds()
	if trial.Close() != nil || !folds {
		return ""
	}
	return fmt.Sprintf("names that differ by case alone are the same in %q (%v): jobs of a repository that has such names see one of them",
		dir, volumeAt(dir))
}

// owns tells whether the account may do everything in a folder, since it is its own.
func owns(user account.User, folder fs.FileInfo) bool {
	const all = 0o700
	stat, ok := folder.Sys().(*syscall.Stat_t)
	return ok && user.UID >= 0 && int(stat.Uid) == user.UID && folder.Mode()&all == all
}

// changeable tells who, beside root and the account, may put something else into the place of what is in a folder.
func changeable(user account.User, folder fs.FileInfo) string {
	stat, ok := folder.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	switch uid := int(stat.Uid); {
	case uid != 0 && uid != os.Geteuid() && uid != user.UID:
		return fmt.Sprintf("its owner, uid %d", uid)
	case folder.Mode()&fs.ModeSticky != 0:
		return ""
	case folder.Mode()&0o002 != 0:
		return "everybody"
	case folder.Mode()&0o020 != 0 && stat.Gid != 0 && !has(user.Groups, stat.Gid) && int(stat.Gid) != user.GID:
		return fmt.Sprintf("its group, gid %d", stat.Gid)
	}
	return ""
}
