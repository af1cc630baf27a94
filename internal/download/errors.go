package download

import (
	"errors"
	"fmt"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download/transfer"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download/unpack"
)

// The ways in which a phase of this package fails, wherever below it happens.
var (
	// ErrArchive is matched by every sign that an archive is not what was
	// promised. Nothing of such an archive is kept.
	ErrArchive = unpack.ErrArchive
	// ErrLayout means that an archive is not a runner.
	ErrLayout = unpack.ErrLayout
	// ErrSpace means that a file system is too small.
	ErrSpace = unpack.ErrSpace
	// ErrDamaged means that a cached tree is no longer what was verified.
	ErrDamaged = unpack.ErrDamaged
	// ErrTransfer means that an archive could not be received.
	ErrTransfer = transfer.ErrTransfer
	// ErrDenied means that a server of archives wants to know who asks. It is an ErrTransfer as well.
	ErrDenied = transfer.ErrDenied
	// ErrVanished means that the cache, or what was being made in it, was taken away before it was complete.
	ErrVanished = errors.New("the cache was removed while it was filled")
	// ErrNoDigest means that nothing says what an archive must contain. Such an
	// archive is refused, never trusted.
	ErrNoDigest = errors.New("no SHA-256 is known for it")
	// ErrNoOffer means that a server offers no runner at all, for no platform.
	ErrNoOffer = errors.New("the server offers no runner for any platform")
	// ErrUnmirrored means that a server has no release of the runner, and that github.com could not be asked for it.
	ErrUnmirrored = errors.New("the server has no release of the runner, and github.com gave none")
	// ErrMirror means that a mirror is not named by a URL that we can fetch from.
	ErrMirror = errors.New("not an http, https or file URL")
	// ErrAbsent means that there is nothing where an archive was said to be.
	ErrAbsent = errors.New("there is no such archive")
	// ErrOutdated means that GitHub takes no runner of that version any more.
	ErrOutdated = errors.New("GitHub refuses it")
	// ErrUnnamed means that an archive's name does not tell what it holds.
	ErrUnnamed = errors.New("its name does not tell the version")
	// ErrOtherVersion means that an archive holds another version than is wanted.
	ErrOtherVersion = errors.New("it holds another version")
)

// digestError says that an archive's SHA-256 is not the promised one.
type digestError struct {
	File, Want, Got string
	Offered         bool // the digest on offer differs, nothing was fetched
}

func (e *digestError) Error() string {
	if e.Offered {
		return fmt.Sprintf("choosing %s: GitHub offers SHA-256 %s, --sha256 demands %s", e.File, e.Got, e.Want)
	}
	return fmt.Sprintf("verifying %s: SHA-256 is %s, promised was %s", e.File, e.Got, e.Want)
}

// Is matches [ErrArchive].
func (e *digestError) Is(target error) bool { return target == ErrArchive }
