package doctor

import (
	"os"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/jail"
)

func TestMain(m *testing.M) {
	if code, first := jail.First(os.Args); first {
		os.Exit(code)
	}
	os.Exit(m.Run())
}
