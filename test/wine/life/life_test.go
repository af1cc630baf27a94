//go:build e2e && linux

package life

import (
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/test/wine"
)

// boot is a Windows with the program as it is built here.
func boot(t *testing.T) *wine.Machine {
	t.Helper()
	m := wine.Boot(t, wine.Options{})
	m.Put(wine.Build(t, "cmd/runner-bootstrap"), Program)
	return m
}

func TestForeground(t *testing.T) {
	t.Parallel()
	Foreground(t, boot(t), Program)
}

func TestService(t *testing.T) {
	t.Parallel()
	Service(t, boot(t), Program)
}

func TestEphemeral(t *testing.T) {
	t.Parallel()
	Ephemeral(t, boot(t), Program, "--ephemeral")
}

func TestJustInTime(t *testing.T) {
	t.Parallel()
	Ephemeral(t, boot(t), Program, "--jit")
}

func TestTwoInstalls(t *testing.T) {
	t.Parallel()
	TwoInstalls(t, boot(t), Program)
}
