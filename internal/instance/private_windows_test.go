package instance

import (
	"path/filepath"
	"regexp"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/acl"
)

// private asserts that the list of the folder of a file lets nobody in but the system, administrators and the account of this
// process. That the file inherits it, and that Windows keeps others out by it, cannot be shown where the tests run.
func private(t *testing.T, path string) {
	t.Helper()
	text, err := acl.Text(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	if regexp.MustCompile(`\(A;[^)]*;(WD|BU|AU|S-1-1-0)\)`).MatchString(text) { // everybody, or the users of the host
		t.Errorf("the folder of %q lets others in: %s", path, text)
	}
}
