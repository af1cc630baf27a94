package terminal

import (
	"io"
	"os"

	"golang.org/x/term"
)

// readSecret reads a line that is not shown.
func readSecret(in *os.File, _ io.Reader) (string, error) {
	text, err := term.ReadPassword(int(in.Fd()))
	return string(text), err
}

// behindBlanks leaves what was typed before a question to it.
func behindBlanks(in *os.File) io.Reader { return in }
