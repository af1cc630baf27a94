package terminal

import (
	"os"

	"golang.org/x/term"
)

// readSecret reads a line that is not shown.
func readSecret(in *os.File) (string, error) {
	text, err := term.ReadPassword(int(in.Fd()))
	return string(text), err
}
