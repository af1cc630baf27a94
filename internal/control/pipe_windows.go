package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/windows"

	"github.com/runner-bootstrap/runner-bootstrap/internal/acl"
	"github.com/runner-bootstrap/runner-bootstrap/internal/namedpipe"
)

// pipeListener has one instance of a pipe that waits for somebody, from its making to its end: at no moment another process can
// make the first one.
type pipeListener struct {
	path    string
	mu      sync.Mutex // of Accept
	waiting windows.Handle
	stop    windows.Handle // an event
	closing sync.Once
}

// listenPipe makes a pipe that lets in whom its list names, on this host alone. It fails if there is one of that name.
func listenPipe(path, list string) (*pipeListener, error) {
	l := &pipeListener{path: path}
	first, err := namedpipe.First(path, list, namedpipe.Many)
	if err != nil {
		return nil, err
	}
	if l.stop, err = windows.CreateEvent(nil, 1, 0, nil); err != nil {
		return nil, errors.Join(err, windows.CloseHandle(first))
	}
	l.waiting = first
	return l, nil
}

// Accept waits for the next one who connects.
func (l *pipeListener) Accept() (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		if l.waiting == 0 {
			return nil, net.ErrClosed
		}
		err := namedpipe.Await(l.waiting, l.stop)
		if errors.Is(err, windows.ERROR_NO_DATA) {
			// Somebody came and went.
			if err := windows.DisconnectNamedPipe(l.waiting); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil {
			err = errors.Join(err, windows.CloseHandle(l.waiting))
			l.waiting = 0
			return nil, err
		}
		connected := l.waiting
		if l.waiting, err = namedpipe.Next(l.path, acl.PrivatePipe()); err != nil {
			l.waiting = 0
			return nil, errors.Join(err, windows.CloseHandle(connected))
		}
		return newPipe(connected, l.path), nil
	}
}

// Close ends Accept, and the pipe when the connections that are open end. It may be repeated.
func (l *pipeListener) Close() error {
	var err error
	l.closing.Do(func() {
		if err = windows.SetEvent(l.stop); err != nil {
			return
		}
		l.mu.Lock() // Accept has ended
		defer l.mu.Unlock()
		if l.waiting != 0 {
			err = windows.CloseHandle(l.waiting)
			l.waiting = 0
		}
		err = errors.Join(err, windows.CloseHandle(l.stop))
	})
	return err
}

// Addr is the name of the pipe.
func (l *pipeListener) Addr() net.Addr { return pipeName(l.path) }

type pipeName string

func (pipeName) Network() string  { return "pipe" }
func (n pipeName) String() string { return string(n) }

// pipe is one connection.
type pipe struct {
	*os.File
	name pipeName
}

func newPipe(handle windows.Handle, path string) *pipe {
	return &pipe{File: os.NewFile(uintptr(handle), path), name: pipeName(path)}
}

func (p *pipe) LocalAddr() net.Addr  { return p.name }
func (p *pipe) RemoteAddr() net.Addr { return p.name }

// again is how often one who finds all instances taken looks for a free one.
const again = 10 * time.Millisecond

// dialPipe connects to a pipe. The other end learns nothing of this account.
func dialPipe(ctx context.Context, path string) (net.Conn, error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return nil, err
	}
	const how = windows.FILE_FLAG_OVERLAPPED | windows.SECURITY_SQOS_PRESENT | windows.SECURITY_ANONYMOUS
	for {
		handle, err := windows.CreateFile(name, windows.GENERIC_READ|windows.GENERIC_WRITE, 0, nil, windows.OPEN_EXISTING, how, 0)
		if err == nil {
			return newPipe(handle, path), nil
		}
		if !errors.Is(err, windows.ERROR_PIPE_BUSY) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for a free end: %w", context.Cause(ctx))
		case <-time.After(again):
		}
	}
}

// owned tells whether a pipe was made by the system, by an administrator or by the account of this process.
func (p *pipe) owned() (ours bool, err error) {
	raw, err := p.SyscallConn()
	if err != nil {
		return false, err
	}
	controlErr := raw.Control(func(handle uintptr) { ours, err = acl.TrustedOwner(windows.Handle(handle)) })
	return ours, errors.Join(controlErr, err)
}
