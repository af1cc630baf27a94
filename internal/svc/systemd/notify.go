package systemd

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// maxStatus is for people, who read it on one line. systemd drops a message over 4096 bytes as a whole, and with it the
// READY=1 that a long status came with.
const maxStatus = 1000

// Notifier tells the service manager how the program that it started is doing, as sd_notify(3) describes it. It
// holds no connection, so that it outlives a manager that executes itself again, and it may be used by several
// goroutines. An error says that the message was not delivered; it may be sent again.
type Notifier struct {
	socket string
}

// NewNotifier returns a Notifier for the socket that the service manager names in NOTIFY_SOCKET: an absolute path,
// or a name in the abstract namespace after "@". When it is empty nobody listens, and every method does nothing;
// so it is on Windows, whose service manager has no such socket.
func NewNotifier(socket string) *Notifier { return &Notifier{socket: socket} }

// Listens tells whether a service manager has started the program and hears it.
func (n *Notifier) Listens() bool { return n.socket != "" }

// Ready says that the start is complete, which is what Start of a [Unit] with Notify waits for. An empty status
// leaves the one before.
func (n *Notifier) Ready(status string) error { return n.send(withStatus("READY=1", status)) }

// Status tells people in one line what the program is doing; systemctl status shows it. Line breaks and other
// control characters become blanks, and what is longer than 1000 bytes is cut. An empty text clears it.
func (n *Notifier) Status(text string) error { return n.send("STATUS=" + oneLine(text)) }

// Stopping says that the program has begun to end. An empty status leaves the one before.
func (n *Notifier) Stopping(status string) error { return n.send(withStatus("STOPPING=1", status)) }

// Watchdog says that the program is alive. It is due more often than the unit's Watchdog; see [WatchdogInterval].
func (n *Notifier) Watchdog() error { return n.send("WATCHDOG=1") }

// ExtendTimeout asks for d more, counted from now, for the start or the stop that is under way. The manager never
// shortens a timeout for it. d is rounded up to microseconds and must be positive.
func (n *Notifier) ExtendTimeout(d time.Duration) error {
	if d <= 0 {
		return fmt.Errorf("asking the service manager for %s more: not positive", d)
	}
	micros := d / time.Microsecond
	if d%time.Microsecond > 0 {
		micros++
	}
	return n.send("EXTEND_TIMEOUT_USEC=" + strconv.FormatInt(int64(micros), 10))
}

// send passes on one message as one datagram.
func (n *Notifier) send(message string) error {
	if n.socket == "" {
		return nil
	}
	if err := deliver(n.socket, message); err != nil {
		return fmt.Errorf("notifying the service manager: %w", err)
	}
	return nil
}

func withStatus(message, status string) string {
	if status == "" {
		return message
	}
	return message + "\nSTATUS=" + oneLine(status)
}

// oneLine makes text fit for a message, in which a line break would begin another assignment, and a NUL or a broken
// character would have the manager drop it. Of broken ones Map makes U+FFFD.
func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
	if len(text) <= maxStatus {
		return text
	}
	end := maxStatus
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}

// WatchdogInterval returns how often to call [Notifier.Watchdog], from what the service manager sets WATCHDOG_USEC
// and WATCHDOG_PID to: half of its patience, as it recommends. It is 0 when there is no watchdog, or one for another
// process than this one. An empty pid means this one.
func WatchdogInterval(usec, pid string) time.Duration {
	if pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return 0
	}
	micros, err := strconv.ParseInt(usec, 10, 64)
	if err != nil || micros <= 0 || micros > int64(1<<63-1)/int64(time.Microsecond) {
		return 0
	}
	return time.Duration(micros) * time.Microsecond / 2
}
