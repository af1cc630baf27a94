//go:build unix

package terminal

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// pasted is how long what was pasted in one go may be in coming.
const pasted = 50 * time.Millisecond

// readSecret reads a line that is not shown; the end of input ends it as well. What was pasted beyond the line is dropped: the
// shell would show it, and run it.
func readSecret(in *os.File, from io.Reader) (string, error) {
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
	text, err := readLine(from)
	<-time.After(pasted)
	return text, errors.Join(err, unix.IoctlSetTermios(fd, setStateAndDrop, before))
}

// behindBlanks takes the ends of lines that were there before a question is asked: they are no answer to it. Text from another
// system has two in each line when it is pasted, and a secret that is pasted after an empty answer would be left to the shell,
// which shows it. What follows them may be the answer, which is read from what is returned.
func behindBlanks(in *os.File) io.Reader {
	for one := make([]byte, 1); ; {
		waiting := []unix.PollFd{{Fd: int32(in.Fd()), Events: unix.POLLIN}} //nolint:gosec // descriptors are small
		if n, err := unix.Poll(waiting, 0); err != nil || n == 0 {
			return in
		}
		n, err := in.Read(one)
		switch {
		case err != nil || n == 0:
			return strings.NewReader("") // the end of input, which is told once
		case one[0] != '\n' && one[0] != '\r':
			return io.MultiReader(bytes.NewReader(one), in)
		}
	}
}
