//go:build unix && !linux

package terminal

import "golang.org/x/sys/unix"

const (
	getState        = unix.TIOCGETA
	setState        = unix.TIOCSETA
	setStateAndDrop = unix.TIOCSETAF
)
