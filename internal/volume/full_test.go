package volume

import (
	"fmt"
	"io/fs"
	"testing"
)

func TestIsFull(t *testing.T) {
	t.Parallel()
	for _, full := range Full() {
		if err := fmt.Errorf("saving: %w", &fs.PathError{Op: "write", Path: "x", Err: full}); !IsFull(err) {
			t.Errorf("%v is another error", err)
		}
	}
	for _, other := range []error{nil, fs.ErrPermission, fs.ErrNotExist} {
		if IsFull(other) {
			t.Errorf("%v is one", other)
		}
	}
}
