package account

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"

	"github.com/runner-bootstrap/runner-bootstrap/internal/acl"
)

// almighty is who may install services, as it stands in a sentence.
const almighty = "an administrator"

// As leaves cmd as it is: on Windows a program runs as the account that
// started it.
func (User) As(*exec.Cmd) {}

// Create gives an account that exists, as virtual ones do, and makes none: those of Windows hosts and domains are made by
// their administrators.
func Create(_ context.Context, name string, _ ...string) (User, error) {
	u, err := Lookup(name)
	if errors.Is(err, ErrAbsent) {
		return User{}, fmt.Errorf("creating account %q: %w: not supported on Windows", name, ErrCreate)
	}
	return u, err
}

// Creatable tells that no account is made here.
func Creatable(string) bool { return false }

// Own lets u change path, and what is in it where it is a folder: a link itself, and no file that has other names. It
// does nothing when u is the account this process runs as, or the system's.
func (u User) Own(path string) error {
	if u.Self || u.Root() {
		return nil
	}
	return acl.Give(path, u.SID)
}

// OwnFile is [User.Own] for an open file, whatever bears its name by now.
func (u User) OwnFile(file *os.File) error {
	if u.Self || u.Root() {
		return nil
	}
	return acl.GiveFile(file, u.SID)
}

// AsRoot is who owns what the account may read alone: the system, and the list of the folder above lets the account in.
func (u User) AsRoot() User {
	return User{Name: builtIn()[sidSystem], UID: -1, GID: -1, SID: sidSystem}
}

// mayList tells whether the account may see what is in a folder, as far as that can be known: of which groups an account is
// that somebody has made, its domain knows.
func (u User) mayList(dir string, _ fs.FileInfo) bool {
	sids := []string{u.SID, sidService}
	switch {
	case u.Self:
		return true
	case u.Kind() == Virtual:
		sids = append(sids, sidAllServices)
	case u.Kind() != BuiltIn:
		return true
	}
	may, err := acl.Lists(dir, sids...)
	return may || err != nil
}

func (User) mayWrite(fs.FileInfo) bool { return true }

// Privileged tells whether this process may create services: it is one of an administrator's that is elevated, or
// LocalSystem's. Other accounts for services are elevated, too, and may not.
func Privileged() bool { return acl.Administers() }

// mayRead tells whether the account may read and start a file, as far as that can be known. Windows lets everybody pass
// through the folders on the way.
func (u User) mayRead(path string, _ fs.FileInfo, last bool) bool {
	if u.Self || !last || u.Kind() != Virtual && u.Kind() != BuiltIn {
		return true
	}
	may, err := acl.Reads(path, u.SID, sidService, sidAllServices)
	return may || err != nil
}
