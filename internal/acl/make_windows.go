package acl

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
)

// MakePrivate makes a folder that only the system and administrators reach and, where this process is not one of theirs, its
// account. [fs.ErrExist] if anything bears that name.
func MakePrivate(path string) error { return Make(path, own()) }

// own is [Private] for this process.
func own() string {
	if Administers() {
		return Private()
	}
	return Private(self())
}

// PrivatePipe is the list for a pipe that only the system and administrators reach and, where this process is not one of theirs,
// its account. It names the owner, whom the other end knows it by: [TrustedOwner].
func PrivatePipe() string {
	owner := self()
	if Administers() {
		owner = administrators
	}
	return "O:" + owner + strings.ReplaceAll(own(), inherited, here)
}

// Attributes are those for making something with a list, which is there from the first moment on.
func Attributes(list string) (*windows.SecurityAttributes, error) {
	descriptor, err := windows.SecurityDescriptorFromString(list)
	if err != nil {
		return nil, err
	}
	attributes := windows.SecurityAttributes{SecurityDescriptor: descriptor}
	attributes.Length = uint32(unsafe.Sizeof(attributes))
	return &attributes, nil
}

// Make makes a folder with a list.
func Make(path, list string) error {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return &fs.PathError{Op: "mkdir", Path: path, Err: err}
	}
	attributes, err := Attributes(list)
	if err == nil {
		err = windows.CreateDirectory(name, attributes)
	}
	if err != nil {
		return &fs.PathError{Op: "mkdir", Path: path, Err: err}
	}
	return nil
}

// KeepPrivate is [MakePrivate], and a folder that is there is as good: one that others could change or read is closed, and
// refused with [ErrOpen] where they may have put something into it. Where this process is not an administrator's, what is
// there is its own concern.
func KeepPrivate(path string) error {
	if err := guardedAbove(path); err != nil {
		return err
	}
	if err := MakePrivate(path); !errors.Is(err, fs.ErrExist) {
		return err
	}
	if !Administers() {
		return nil
	}
	return guard(path, own(), change|look)
}

// KeepPublic makes a folder, and those above it that are not there, which everybody of this host may read. One that is
// there is as good, as [KeepPrivate] has it.
func KeepPublic(path string) error {
	if !Administers() {
		return os.MkdirAll(path, 0o755) //nolint:gosec // it has no modes
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	missing := []string{path}
	for dir := filepath.Dir(path); dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		missing = append(missing, dir)
	}
	if err := guardedAbove(missing[len(missing)-1]); err != nil {
		return err
	}
	for i := len(missing) - 1; i >= 0; i-- {
		err := Make(missing[i], Public())
		if errors.Is(err, fs.ErrExist) {
			err = guard(missing[i], Public(), change)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Check tells whether only those who administer this host, or the account of this process, can put something else into the place
// of what is at a path, or change it where it is a file. Where it is a folder, [KeepPublic] tells the rest. Where this process is
// not an administrator's, every path is good. What is not there yet is judged by what is above.
func Check(path string) error {
	path, err := filepath.Abs(path)
	if err != nil || !Administers() {
		return err
	}
	if err := guardedAbove(path); err != nil {
		return err
	}
	info, err := os.Lstat(path)
	if err != nil || info.IsDir() {
		return nil //nolint:nilerr // the one who opens it says why it cannot be
	}
	f, err := lookAt(path)
	if err != nil {
		return err
	}
	return f.refuse(path, change)
}

// guardedAbove refuses a folder that others could put another one in the place of.
func guardedAbove(path string) error {
	path, err := filepath.Abs(path)
	if err != nil || !Administers() {
		return err
	}
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		top := dir == filepath.Dir(dir)
		f, err := lookAt(dir)
		if errors.Is(err, fs.ErrNotExist) && !top {
			continue // the one who needs it says so
		}
		if err != nil {
			return err
		}
		rights := uint32(replace)
		if top {
			rights &^= remove // nobody removes a volume
		}
		if err := f.refuse(dir, rights); err != nil {
			return err
		}
		if top {
			return nil
		}
	}
}

// refuse is an [*OpenError] where a stranger owns it or has one of the rights.
func (f found) refuse(path string, rights uint32) error {
	if !trusted(f.owner) {
		return &OpenError{Path: path, Who: f.owner, Name: nameOf(f.owner), Owns: true}
	}
	if who := f.stranger(rights, trusted); who != "" {
		return &OpenError{Path: path, Who: who, Name: nameOf(who)}
	}
	return nil
}

// guard closes a folder that is open to others by rights, where nothing of theirs is in it.
func guard(path, list string, rights uint32) error {
	before, err := lookAt(path)
	if err != nil {
		return err
	}
	refused := before.refuse(path, rights)
	if refused == nil {
		return nil
	}
	if err := ours(path, trusted(before.owner)); err != nil {
		return errors.Join(refused, err)
	}
	was, err := Text(path)
	if err != nil {
		return errors.Join(refused, err)
	}
	if err := set(path, list, !trusted(before.owner)); err != nil {
		return errors.Join(refused, err)
	}
	// Somebody may have been faster: then it is as open as it was, so that nobody takes it for a safe one later.
	if err := ours(path, trusted(before.owner)); err != nil {
		return errors.Join(refused, err, set(path, was, false))
	}
	return nil
}

// ours tells whether all that is in a folder is trusted people's; in one that was not theirs nothing may be.
func ours(path string, theirs bool) error {
	return filepath.WalkDir(path, func(at string, _ fs.DirEntry, err error) error {
		if err != nil || at == path {
			return err
		}
		f, err := lookAt(at)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && !theirs {
			return &OpenError{Path: at, Who: f.owner, Name: nameOf(f.owner), Owns: true}
		}
		if err != nil || trusted(f.owner) {
			return err
		}
		return &OpenError{Path: at, Who: f.owner, Name: nameOf(f.owner), Owns: true}
	})
}
