package transport

import (
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// An address that connects and is silent comes last, until it answers or its time is over.
func TestSilentAddressIsAvoided(t *testing.T) {
	t.Parallel()
	deaf, err := net.Listen("tcp", "127.0.0.1:0") // the system accepts, and nobody answers
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { deaf.Close() })
	at := netip.MustParseAddrPort(deaf.Addr().String())
	d := newDialer()
	dial := func(write bool) {
		t.Helper()
		conn, err := d.dial(t.Context(), "tcp", deaf.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if write {
			if _, err := conn.Write([]byte("hello")); err != nil {
				t.Fatal(err)
			}
		}
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
	}
	dial(false)
	if d.avoids(at) {
		t.Error("an address that was asked nothing is avoided")
	}
	dial(true)
	if !d.avoids(at) {
		t.Error("a silent address is not avoided")
	}
	dial(true) // it is the only one: it is taken all the same
	d.avoided[at] = time.Now().Add(-time.Second)
	if d.avoids(at) || d.any() {
		t.Error("it is avoided for ever")
	}
}

// Of a host's addresses those that were silent come last, whatever the system prefers.
func TestOrderOfAddresses(t *testing.T) {
	t.Parallel()
	one, two, three := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	const port = 443
	at := func(all ...netip.Addr) (ports []netip.AddrPort) {
		for _, a := range all {
			ports = append(ports, netip.AddrPortFrom(a, port))
		}
		return ports
	}
	mapped := netip.AddrFrom16(two.As16()) // as a resolver of two families gives it
	for name, c := range map[string]struct{ silent, addresses, want []netip.Addr }{
		"none is silent": {nil, []netip.Addr{one, two}, nil},
		"the first":      {[]netip.Addr{one}, []netip.Addr{one, two, three}, []netip.Addr{two, three, one}},
		"the second":     {[]netip.Addr{two}, []netip.Addr{one, mapped}, []netip.Addr{one, two}},
		"all":            {[]netip.Addr{one, two}, []netip.Addr{one, two}, nil},
		"of another":     {[]netip.Addr{three}, []netip.Addr{one, two}, nil},
		"the only one":   {[]netip.Addr{one}, []netip.Addr{one}, nil},
	} {
		d := newDialer()
		for _, a := range at(c.silent...) {
			d.silent(a)
		}
		if got := d.order(c.addresses, port); !slices.Equal(got, at(c.want...)) {
			t.Errorf("%s: %v, want %v", name, got, at(c.want...))
		}
	}
}
