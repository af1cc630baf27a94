package systemd

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// listener is the receiving end of a Notifier.
type listener struct {
	t *testing.T
	*net.UnixConn
}

func listen(t *testing.T, socket string) listener {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: socket})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	return listener{t, conn}
}

// message is the next one.
func (m listener) message() string {
	m.t.Helper()
	if err := m.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		m.t.Fatal(err)
	}
	buffer := make([]byte, 10000)
	n, err := m.Read(buffer)
	if err != nil {
		m.t.Fatalf("no message: %v", err)
	}
	return string(buffer[:n])
}

func (m listener) got(want string) {
	m.t.Helper()
	if got := m.message(); got != want {
		m.t.Errorf("manager got %q, not %q", got, want)
	}
}

func TestNotifier(t *testing.T) {
	t.Parallel()
	for name, socket := range map[string]string{
		"path":     filepath.Join(t.TempDir(), "notify"),
		"abstract": "@svc-test-" + strconv.Itoa(os.Getpid()) + "/notify",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, n := listen(t, socket), NewNotifier(socket)
			for _, c := range []struct {
				name string
				send func() error
				want string
			}{
				{"ready", func() error { return n.Ready("") }, "READY=1"},
				{"ready with status", func() error { return n.Ready("waiting for jobs") }, "READY=1\nSTATUS=waiting for jobs"},
				{"status", func() error { return n.Status("100% of näme=日本") }, "STATUS=100% of näme=日本"},
				{"no status", func() error { return n.Status("") }, "STATUS="},
				{"more than a line", func() error { return n.Status("a\nMAINPID=1\r\n\x00b\u0085c") }, "STATUS=a MAINPID=1   b c"},
				{"not UTF-8", func() error { return n.Status("a\xffb") }, "STATUS=a\ufffdb"},
				{"stopping", func() error { return n.Stopping("") }, "STOPPING=1"},
				{"stopping with status", func() error { return n.Stopping("a\nb") }, "STOPPING=1\nSTATUS=a b"},
				{"watchdog", n.Watchdog, "WATCHDOG=1"},
				{"extend", func() error { return n.ExtendTimeout(90 * time.Second) }, "EXTEND_TIMEOUT_USEC=90000000"},
				{"extend by little", func() error { return n.ExtendTimeout(1) }, "EXTEND_TIMEOUT_USEC=1"},
				{"longest status", func() error { return n.Ready(strings.Repeat("x", 1000)) }, "READY=1\nSTATUS=" + strings.Repeat("x", 1000)},
				{"long status", func() error { return n.Ready(strings.Repeat("x", 1001)) }, "READY=1\nSTATUS=" + strings.Repeat("x", 1000)},
				{"cut between characters", func() error { return n.Status("x" + strings.Repeat("é", 5000)) }, "STATUS=x" + strings.Repeat("é", 499)},
			} {
				if err := c.send(); err != nil {
					t.Errorf("%s: %v", c.name, err)
					continue
				}
				m.got(c.want)
			}
			for _, d := range []time.Duration{0, -time.Second} {
				if err := n.ExtendTimeout(d); err == nil || !strings.Contains(err.Error(), "not positive") {
					t.Errorf("extending by %s: %v", d, err)
				}
			}
		})
	}
}

func TestNotifierUnheard(t *testing.T) {
	t.Parallel()
	gone := filepath.Join(t.TempDir(), "gone")
	for _, c := range []struct {
		name, socket string
		want         string // in the error; none expected if empty
	}{
		{"nobody", "", ""},
		{"no such socket", gone, "no such file"},
		{"no such abstract socket", "@svc-test-nobody-" + strconv.Itoa(os.Getpid()), "connection refused"},
		{"relative", "notify", "neither an absolute path"},
		{"another kind", "vsock:2:1234", "neither an absolute path"},
		{"too long", "/" + strings.Repeat("x", 200), "invalid argument"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n := NewNotifier(c.socket)
			for what, err := range map[string]error{
				"ready": n.Ready("a"), "status": n.Status("a"), "stopping": n.Stopping("a"),
				"watchdog": n.Watchdog(), "extend": n.ExtendTimeout(time.Second),
			} {
				switch {
				case c.want == "" && err != nil:
					t.Errorf("%s: %v", what, err)
				case c.want == "":
				case err == nil || !strings.Contains(err.Error(), c.want) ||
					!strings.HasPrefix(err.Error(), "notifying the service manager: "):
					t.Errorf("%s: error is %v, without %q", what, err, c.want)
				}
			}
		})
	}
}

// TestNotifierStuck has a manager that does not read, until its queue is full.
func TestNotifierStuck(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "notify")
	listen(t, socket)
	n := NewNotifier(socket)
	ended := make(chan error, 1)
	go func() {
		for range 10000 { // more than any kernel queues
			if err := n.Watchdog(); err != nil {
				ended <- err
				return
			}
		}
		ended <- nil
	}()
	select {
	case err := <-ended:
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("error is %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Error("a manager that does not read holds its service up")
	}
}

func TestWatchdogInterval(t *testing.T) {
	t.Parallel()
	self := strconv.Itoa(os.Getpid())
	for _, c := range []struct {
		name, usec, pid string
		want            time.Duration
	}{
		{"ours", "20000000", self, 10 * time.Second},
		{"of the one who asks", "3000000", "", 1500 * time.Millisecond},
		{"odd", "3", self, 1500 * time.Nanosecond},
		{"of another", "20000000", self + "1", 0},
		{"none", "", "", 0},
		{"zero", "0", self, 0},
		{"negative", "-5", self, 0},
		{"not a number", "20s", self, 0},
		{"longest", "9223372036854775", self, 9223372036854775 * time.Microsecond / 2},
		{"too long", "9223372036854776", self, 0},
		{"for ever", "18446744073709551615", self, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := WatchdogInterval(c.usec, c.pid); got != c.want {
				t.Errorf("interval is %s, not %s", got, c.want)
			}
		})
	}
}
