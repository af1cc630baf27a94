package control

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/acl"
)

// socket is a named pipe of this host, which is gone with the process that has made it.
type socket struct{ listener net.Listener }

// pipes is where all named pipes of this host are.
const pipes = `\\.\pipe\`

// Place is where the agent of the runner called name will answer, at another place with each call: a user of this host who knew the
// name of a pipe before its agent has made it could make one of that name, and so keep the agent from being told anything. Folder
// begins the names of all pipes.
func Place(folder, name string) string {
	return folder + `\` + name + "-" + strings.ToLower(rand.Text())
}

// bind makes the pipe, which lets nobody in but the system, administrators and the account of this process, and no other host.
// It is the first of its name, so that nobody else answers beside it.
func bind(path string) (*socket, error) {
	if err := lies(path); err != nil {
		return nil, err
	}
	if err := occupied(path); err != nil {
		return nil, err
	}
	listener, err := listenPipe(path, acl.PrivatePipe())
	if err != nil {
		return nil, errors.Join(occupied(path), err) // somebody was faster
	}
	return &socket{listener: listener}, nil
}

// occupied tells who has a pipe of that name already.
func occupied(path string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := dial(ctx, path)
	switch {
	case err == nil:
		return errors.Join(ErrRunning, conn.Close())
	case errors.Is(err, ErrNoAgent):
		return nil // it is something else
	case errors.Is(err, os.ErrPermission):
		return ErrForeign
	case ctx.Err() != nil:
		return ErrRunning // which answers nobody at this moment
	default:
		return err
	}
}

// remove has nothing to do: a pipe goes with the last one who has it open.
func (*socket) remove() error { return nil }

// lies tells whether path is the name of a pipe of this host.
func lies(path string) error {
	if len(path) <= len(pipes) || !strings.EqualFold(path[:len(pipes)], pipes) {
		return ErrForeign
	}
	return nil
}

// connect dials path.
func connect(ctx context.Context, path string) (net.Conn, error) { return dialPipe(ctx, path) }

// trusted tells whether the pipe of a connection was made by the system, by an administrator or by the account of this
// process: Windows lets nobody else name them as its owner.
func trusted(conn net.Conn) error {
	p, ok := conn.(*pipe)
	if !ok {
		return ErrForeign
	}
	ours, err := p.owned()
	if err != nil {
		return fmt.Errorf("looking at the other end: %w", err)
	}
	if !ours {
		return ErrForeign
	}
	return nil
}

// mayAsk has nobody to refuse: Windows lets in whom the list of the pipe names, and nobody else.
func mayAsk(net.Conn) error { return nil }

// Sweep has nothing to do: what a killed agent had open is gone with it.
func Sweep(context.Context, string) error { return nil }
