package control

import (
	"fmt"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// maxName is how long the name of a socket may be (unix(7)), its closing zero left out.
const maxName = 107

// maxBase leaves room for /proc/self/fd/ and a number.
const maxBase = maxName - 24

// short gives do a name for path that a socket can have: a longer one is reached through its open folder.
func short(path string, do func(name string) error) error {
	if len(path) <= maxName {
		return do(path)
	}
	base := filepath.Base(path)
	if len(base) > maxBase {
		return fmt.Errorf("its name has %d characters, %d at most", len(base), maxBase)
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer folder.Close()
	return do(fmt.Sprintf("/proc/self/fd/%d/%s", folder.Fd(), base))
}

// peer is the account of the process at the other end, as it was when it connected or began to listen.
func peer(conn *net.UnixConn) (uid int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var credentials *unix.Ucred
	controlErr := raw.Control(func(fd uintptr) {
		credentials, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if controlErr != nil {
		return 0, controlErr
	}
	if err != nil {
		return 0, err
	}
	return int(credentials.Uid), nil
}
