//go:build unix

package openfile

import "golang.org/x/sys/unix"

// noWait keeps the opening of a pipe from waiting for its other end, and that of a terminal
// from making it ours.
const noWait = unix.O_NONBLOCK | unix.O_NOCTTY
