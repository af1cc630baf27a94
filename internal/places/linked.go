package places

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/runner-bootstrap/runner-bootstrap/internal/folders"
)

// ErrLinked means that a directory is behind a link that is not followed: what is below it could be removed from elsewhere.
var ErrLinked = errors.New("it is behind a symbolic link, and none is followed below a folder that others can write to")

// linked tells whether what is removed below a folder would not be reached, as [folders.Open] has it. Any other failure is told
// by who writes there.
func linked(path string) *Error {
	if follows(path) {
		return nil
	}
	link := path
	for above := filepath.Dir(link); above != link && !follows(above); above = filepath.Dir(above) {
		link = above
	}
	problem := &Error{Path: path, Reason: ErrLinked}
	if target, err := os.Readlink(link); err == nil {
		problem.Detail = fmt.Sprintf("%q leads to %q", link, target)
	}
	return problem
}

func follows(path string) bool {
	folder, _, err := folders.Open(path)
	if err == nil {
		_ = folder.Close() // nothing was done in it
	}
	return !errors.Is(err, folders.ErrNotFolder)
}
