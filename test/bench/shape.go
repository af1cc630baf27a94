package main

import (
	"io"
	"net"
	"sync"
	"time"
)

// slack is the longest delay that a pacer makes up for. Timers fire late by some
// tenths of a millisecond, each of which would lower the rate. A sender of
// nothing for longer has no use for the link, and gets no burst for it.
const slack = 10 * time.Millisecond

// pacer spaces bytes out to a rate. Several connections may share one.
type pacer struct {
	rate float64 // bytes a second

	mu   sync.Mutex
	free time.Time // when what was let through so far has passed
}

// pass returns when n more bytes have passed the link.
func (p *pacer) pass(n int) {
	p.mu.Lock()
	now := time.Now()
	if now.Sub(p.free) > slack {
		p.free = now
	}
	p.free = p.free.Add(time.Duration(float64(n) / p.rate * float64(time.Second)))
	wait := p.free.Sub(now)
	p.mu.Unlock()
	time.Sleep(wait)
}

// chunk is how many bytes pass at once: 2 ms of the link, so that connections
// take turns, and not so few that the shaping costs what is to be measured.
func (p *pacer) chunk() int64 { return min(max(int64(p.rate*0.002), 16<<10), 256<<10) }

// shapedListener limits what its connections send.
type shapedListener struct {
	net.Listener
	link   link
	shared *pacer
}

// shape limits what the connections of inner send as l says. Bytes are let go
// when they would have passed the link; what a socket buffers comes after that.
func shape(inner net.Listener, l link) net.Listener {
	if l.rate == 0 {
		return inner
	}
	return &shapedListener{Listener: inner, link: l, shared: &pacer{rate: l.rate}}
}

// Accept implements net.Listener.
func (s *shapedListener) Accept() (net.Conn, error) {
	conn, err := s.Listener.Accept()
	if err != nil {
		return nil, err
	}
	p := s.shared
	if s.link.each {
		p = &pacer{rate: s.link.rate}
	}
	return &shapedConn{Conn: conn, pacer: p}, nil
}

type shapedConn struct {
	net.Conn
	pacer *pacer
}

// Write implements net.Conn.
func (c *shapedConn) Write(b []byte) (written int, err error) {
	for len(b) > 0 {
		piece := b[:min(int64(len(b)), c.pacer.chunk())]
		c.pacer.pass(len(piece))
		n, err := c.Conn.Write(piece)
		written += n
		if err != nil {
			return written, err
		}
		b = b[len(piece):]
	}
	return written, nil
}

// ReadFrom implements io.ReaderFrom, which net/http looks for: the connection
// below sends a piece of a file without copying it, so that the server leaves the
// processor to those who are measured.
func (c *shapedConn) ReadFrom(r io.Reader) (written int64, err error) {
	whole, limited := r.(*io.LimitedReader)
	if !limited {
		return io.Copy(struct{ io.Writer }{c}, r)
	}
	for whole.N > 0 {
		piece := min(whole.N, c.pacer.chunk())
		c.pacer.pass(int(piece))
		n, err := io.Copy(c.Conn, &io.LimitedReader{R: whole.R, N: piece})
		written += n
		whole.N -= n
		if err != nil || n < piece {
			return written, err
		}
	}
	return written, nil
}
