package instance

import (
	"strings"
	"testing"
)

func TestPipesOfADirectory(t *testing.T) {
	t.Parallel()
	one := DefaultPaths(`C:\rb`).Socket("web-1")
	if !strings.HasPrefix(one, `\\.\pipe\runner-bootstrap\`) || !strings.HasSuffix(one, `\web-1.sock`) {
		t.Errorf("%q", one)
	}
	if other := DefaultPaths(`c:\RB\`).Socket("web-1"); other != one {
		t.Errorf("the same directory has %q and %q", one, other)
	}
	for _, path := range []string{DefaultPaths(`C:\rb2`).Socket("web-1"), DefaultPaths("").Socket("web-1")} {
		if path == one {
			t.Errorf("two directories have %q", path)
		}
	}
	if usual := DefaultPaths("").Socket("web-1"); usual != `\\.\pipe\runner-bootstrap\web-1.sock` {
		t.Errorf("%q", usual)
	}
}
