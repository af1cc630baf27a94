package githubtest

import (
	"context"
	"errors"
	"net"
	"sync"
)

// Pipes is a listener in memory, so that the clock of a synctest bubble moves while everybody waits for the network.
// Its Dial, given to a client's transport, leads to it under every address.
type Pipes struct {
	name   string
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

// NewPipes returns a listener whose address is name.
func NewPipes(name string) *Pipes {
	return &Pipes{name: name, conns: make(chan net.Conn), closed: make(chan struct{})}
}

// Accept implements net.Listener.
func (p *Pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener. It may be repeated.
func (p *Pipes) Close() error { p.once.Do(func() { close(p.closed) }); return nil }

// Addr implements net.Listener.
func (p *Pipes) Addr() net.Addr { return p }

// Network implements net.Addr.
func (p *Pipes) Network() string { return "pipe" }

// String implements net.Addr.
func (p *Pipes) String() string { return p.name }

// Dial connects to the listener, whatever the address.
func (p *Pipes) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		return here, nil
	case <-p.closed:
		return nil, errors.New("connection refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
