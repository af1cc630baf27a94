package transport

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// dialTime is how long a connection may take to be made.
	dialTime = 15 * time.Second
	// avoidTime is for how long an address that connected and then said nothing comes last.
	avoidTime = 10 * time.Minute
	// maxAvoided bounds what is remembered.
	maxAvoided = 64
)

// dialer makes connections, and remembers the addresses on which nothing came back: a path on which large packets are lost, or a
// family of addresses that a network only pretends to have, connects and is silent then. The next connection to the same host
// goes to another address.
type dialer struct {
	direct net.Dialer

	mu      sync.Mutex
	avoided map[netip.AddrPort]time.Time // until when
}

func newDialer() *dialer {
	return &dialer{
		direct:  net.Dialer{Timeout: dialTime, KeepAlive: 30 * time.Second},
		avoided: map[netip.AddrPort]time.Time{},
	}
}

// dial is for [net/http.Transport.DialContext].
func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := d.connect(ctx, network, address)
	if err != nil {
		return nil, err
	}
	remote, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil {
		return conn, nil //nolint:nilerr // of another kind than those that are remembered
	}
	return &listened{Conn: conn, dialer: d, remote: remote}, nil
}

// connect takes the addresses in the order of the system, unless one of them is avoided.
func (d *dialer) connect(ctx context.Context, network, address string) (net.Conn, error) {
	if !d.any() {
		return d.direct.DialContext(ctx, network, address)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	number, err := net.DefaultResolver.LookupPort(ctx, network, port)
	if err != nil {
		return nil, err
	}
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	var failed error
	for _, at := range d.order(addresses, uint16(number)) { //nolint:gosec // the number of a port
		conn, err := d.direct.DialContext(ctx, network, at.String())
		if err == nil {
			return conn, nil
		}
		failed = err
		if ctx.Err() != nil {
			break
		}
	}
	if failed == nil {
		return d.direct.DialContext(ctx, network, address) // which has them race as usual
	}
	return nil, failed
}

// order has the avoided addresses after the others; it is empty where that would change nothing.
func (d *dialer) order(addresses []netip.Addr, port uint16) []netip.AddrPort {
	var good, silent []netip.AddrPort
	for _, a := range addresses {
		at := netip.AddrPortFrom(a.Unmap(), port)
		if d.avoids(at) {
			silent = append(silent, at)
		} else {
			good = append(good, at)
		}
	}
	if len(silent) == 0 || len(good) == 0 {
		return nil
	}
	return append(good, silent...)
}

func (d *dialer) any() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.avoided) > 0
}

func (d *dialer) avoids(at netip.AddrPort) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	until, found := d.avoided[at]
	if found && time.Now().After(until) {
		delete(d.avoided, at)
		return false
	}
	return found
}

// silent remembers an address, and answered forgets it.
func (d *dialer) silent(at netip.AddrPort) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.avoided) >= maxAvoided {
		clear(d.avoided)
	}
	d.avoided[netip.AddrPortFrom(at.Addr().Unmap(), at.Port())] = time.Now().Add(avoidTime)
}

func (d *dialer) answered(at netip.AddrPort) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.avoided, netip.AddrPortFrom(at.Addr().Unmap(), at.Port()))
}

// listened is a connection of which it is known whether anything came back.
type listened struct {
	net.Conn

	dialer       *dialer
	remote       netip.AddrPort
	sent, heard  atomic.Bool
	closedBefore atomic.Bool
}

func (l *listened) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	if n > 0 && !l.heard.Swap(true) {
		l.dialer.answered(l.remote)
	}
	return n, err
}

func (l *listened) Write(p []byte) (int, error) {
	l.sent.Store(true)
	return l.Conn.Write(p)
}

// Close of a connection that has asked and heard nothing is what becomes of silence: the one who waited has given up.
func (l *listened) Close() error {
	if !l.closedBefore.Swap(true) && l.sent.Load() && !l.heard.Load() {
		l.dialer.silent(l.remote)
	}
	return l.Conn.Close()
}
