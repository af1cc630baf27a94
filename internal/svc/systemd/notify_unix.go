//go:build unix

package systemd

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// sendTimeout bounds one message: a manager that does not read must not hold up what it watches.
const sendTimeout = time.Second

// deliver sends message to the socket as one datagram, and gives up after sendTimeout when the manager's queue is
// full. The net package reads a leading "@" as the abstract namespace.
func deliver(socket, message string) (err error) {
	if err := validateSocket(socket); err != nil {
		return fmt.Errorf("socket %q: %w", socket, err)
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Net: "unixgram", Name: socket})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if err := conn.SetWriteDeadline(time.Now().Add(sendTimeout)); err != nil {
		return err
	}
	_, err = conn.Write([]byte(message))
	return err
}

// validateSocket accepts the kinds of address that name a socket of this host.
func validateSocket(socket string) error {
	if !strings.HasPrefix(socket, "/") && !strings.HasPrefix(socket, "@") {
		return errors.New("neither an absolute path nor an abstract name")
	}
	return nil
}
