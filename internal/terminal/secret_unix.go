//go:build unix

package terminal

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// pasted is how long what was pasted in one go may be in coming.
const pasted = 50 * time.Millisecond

// readSecret reads a line that is not shown; the end of input ends it as well. What was pasted beyond the line is dropped: the
// shell would show it, and run it.
func readSecret(in *os.File) (string, error) {
	fd := int(in.Fd())
	before, err := unix.IoctlGetTermios(fd, getState)
	if err != nil {
		return "", err
	}
	quiet := *before
	quiet.Lflag &^= unix.ECHO
	quiet.Lflag |= unix.ICANON | unix.ISIG
	quiet.Iflag |= unix.ICRNL
	if err := unix.IoctlSetTermios(fd, setState, &quiet); err != nil {
		return "", err
	}
	text, err := readLine(in)
	<-time.After(pasted)
	return text, errors.Join(err, unix.IoctlSetTermios(fd, setStateAndDrop, before))
}
