package control

import (
	"context"
	"errors"
	"io/fs"
	"net"
)

// socket: on Windows it will be a pipe with a security descriptor.
type socket struct{ listener net.Listener }

func bind(string) (*socket, error) { return nil, errors.ErrUnsupported }

func (*socket) remove() error { return nil }

func connect(context.Context, string) (net.Conn, error) { return nil, errors.ErrUnsupported }

func belongs(fs.FileInfo) bool { return false }

func trusted(net.Conn) error { return ErrForeign }
