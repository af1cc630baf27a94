package control

import (
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// maxName is how long the name of a socket may be (unix(4)), its closing zero left out.
const maxName = 103

// short refuses a path that no socket can have.
func short(path string, do func(name string) error) error {
	if len(path) > maxName {
		return fmt.Errorf("its path has %d characters, %d at most", len(path), maxName)
	}
	return do(path)
}

// peer is the account of the process at the other end, as it was when it connected or began to listen.
func peer(conn *net.UnixConn) (uid int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var credentials *unix.Xucred
	controlErr := raw.Control(func(fd uintptr) {
		credentials, err = unix.GetsockoptXucred(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
	})
	if controlErr != nil {
		return 0, controlErr
	}
	if err != nil {
		return 0, err
	}
	return int(credentials.Uid), nil
}
