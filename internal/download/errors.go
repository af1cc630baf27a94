package download

import (
	"errors"
	"fmt"
	"net/url"
)

var (
	// ErrArchive is matched by every sign that an archive is not what was
	// promised. Nothing of such an archive is kept.
	ErrArchive = errors.New("the archive is not what was promised")
	// ErrLayout means that an archive is not a runner.
	ErrLayout = fmt.Errorf("%w: not a GitHub Actions runner", ErrArchive)
	// ErrSpace means that a file system is too small.
	ErrSpace = errors.New("not enough space")
	// ErrTransfer means that an archive could not be received.
	ErrTransfer = errors.New("the download failed")
)

// DigestError says that an archive's SHA-256 is not the promised one.
type DigestError struct {
	File, Want, Got string
	Offered         bool // the digest on offer differs, nothing was fetched
}

func (e *DigestError) Error() string {
	if e.Offered {
		return fmt.Sprintf("choosing %s: GitHub offers SHA-256 %s, --sha256 demands %s", e.File, e.Got, e.Want)
	}
	return fmt.Sprintf("verifying %s: SHA-256 is %s, promised was %s", e.File, e.Got, e.Want)
}

// Is matches [ErrArchive].
func (e *DigestError) Is(target error) bool { return target == ErrArchive }

// withoutURL drops the URL from a transport error: a redirected download's
// query is a signature.
func withoutURL(err error) error {
	var withURL *url.Error
	if errors.As(err, &withURL) {
		return withURL.Err
	}
	return err
}
