package systemd

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// output is one whose reader goes away.
type output struct {
	text strings.Builder
	err  error
}

func (o *output) Write(p []byte) (int, error) {
	if o.err != nil {
		return 0, o.err
	}
	return o.text.Write(p)
}

// note is what a log says of lines that it has lost.
func note(lost int) []byte { return fmt.Appendf(nil, "%d lost\n", lost) }

func TestLastingGoesOnInTheJournal(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "socket")
	journal, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: socket})
	if err != nil {
		t.Fatal(err)
	}
	defer journal.Close()
	out := &output{}
	log := NewLasting(out, socket, note)
	say := func(text string) {
		if n, err := fmt.Fprint(log, text); n != len(text) || err != nil {
			t.Errorf("writing %q: %d, %v", text, n, err)
		}
	}
	say("before\n")
	out.err = &os.PathError{Op: "write", Path: "|1", Err: syscall.EPIPE}
	say("one\ntwo\n")
	out.err = nil // it does not come back by itself
	say("three\n")
	if got := out.text.String(); got != "before\n" {
		t.Errorf("the output got %q", got)
	}
	for _, want := range []string{"one", "two", "three"} {
		if err := journal.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		text := make([]byte, 1000)
		n, err := journal.Read(text)
		if want := "PRIORITY=6\nSYSLOG_IDENTIFIER=runner-bootstrap\nMESSAGE=" + want + "\n"; err != nil || string(text[:n]) != want {
			t.Errorf("the journal got %q, %v, want %q", text[:n], err, want)
		}
	}
}

func TestLastingWithoutAJournal(t *testing.T) {
	t.Parallel()
	for name, journal := range map[string]string{"none": "", "one that is stopped": filepath.Join(t.TempDir(), "absent")} {
		log := NewLasting(&output{err: syscall.EPIPE}, journal, note)
		for range 3 {
			if n, err := log.Write([]byte("a\n")); n != 2 || err != nil {
				t.Errorf("%s: %d, %v", name, n, err)
			}
		}
	}
}

// What is said while the journal is stopped is counted, each line once.
func TestLastingCountsWhatTheJournalMissed(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "socket")
	log := NewLasting(&output{err: syscall.EPIPE}, socket, note)
	for range 3 {
		fmt.Fprint(log, "a\nb\n")
	}
	journal := listen(t, socket)
	fmt.Fprint(log, "too early\n") // it is left alone for a while
	log.again = time.Time{}
	fmt.Fprint(log, "at last\n")
	for _, want := range []string{"7 lost", "at last"} {
		journal.got("PRIORITY=6\nSYSLOG_IDENTIFIER=runner-bootstrap\nMESSAGE=" + want + "\n")
	}
}

// One text may be delivered in part: a journal that does not read takes a few messages.
func TestLastingCountsWhatTheJournalDidNotTake(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "socket")
	journal := listen(t, socket)
	const lines = 1000
	log := NewLasting(&output{err: syscall.EPIPE}, socket, note)
	fmt.Fprint(log, strings.Repeat("a\n", lines))
	log.again = time.Time{}
	taken := 0
	for ; taken < lines; taken++ {
		if err := journal.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if _, err := journal.Read(make([]byte, 100)); err != nil {
			break // it has read all
		}
	}
	fmt.Fprint(log, "at last\n")
	if taken == 0 || taken == lines {
		t.Errorf("the journal took %d of %d lines", taken, lines)
	}
	journal.got(fmt.Sprintf("PRIORITY=6\nSYSLOG_IDENTIFIER=runner-bootstrap\nMESSAGE=%d lost\n", lines-taken))
}

// readers are files of this kernel that somebody could read, and does not.
func readers(t *testing.T) map[string]struct{ in, out *os.File } {
	t.Helper()
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	// As the stream to the journal is: a write to it blocks its thread. Reading has a deadline here.
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.SetNonblock(ends[0], true)
	}
	if err != nil {
		t.Fatal(err)
	}
	return map[string]struct{ in, out *os.File }{
		"pipe": {in, out}, "socket": {os.NewFile(uintptr(ends[0]), "in"), os.NewFile(uintptr(ends[1]), "out")},
	}
}

// The lines of a flood are numbered, and more than any reader's buffer holds.
const floodLines, floodWidth = 1000, 1000

func flood(t *testing.T, log *Lasting) {
	t.Helper()
	written := make(chan struct{})
	go func() {
		defer close(written)
		for i := range floodLines {
			fmt.Fprintf(log, "%0*d\n", floodWidth, i)
		}
	}()
	select {
	case <-written:
	case <-time.After(30 * time.Second):
		t.Fatal("who writes is held up by the one who does not read")
	}
}

func TestLastingIsNotHeldUp(t *testing.T) {
	t.Parallel()
	for name, file := range readers(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			defer file.in.Close()
			log := NewLasting(file.out, "", note)
			flood(t, log)
			read := bufio.NewScanner(file.in)
			next := func() string {
				if err := file.in.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
					t.Fatal(err)
				}
				if !read.Scan() {
					t.Fatalf("the end, %v", read.Err())
				}
				return read.Text()
			}
			taken, lost := 0, 0
			for taken+lost < floodLines { // nothing more is written, so the count comes by itself
				line, missed := next(), 0
				if _, err := fmt.Sscanf(line, "%d lost", &missed); err == nil {
					lost += missed
					continue
				}
				if want := fmt.Sprintf("%0*d", floodWidth, taken+lost); line != want {
					t.Fatalf("after %d lines and %d lost ones %q", taken, lost, line)
				}
				taken++
			}
			if taken+lost != floodLines || taken == 0 || lost == 0 {
				t.Errorf("of %d lines %d, and %d lost", floodLines, taken, lost)
			}
			fmt.Fprint(log, "after\n")
			if line := next(); line != "after" {
				t.Errorf("then %q", line)
			}
			if err := file.out.Close(); err != nil {
				t.Error(err)
			}
			if read.Scan() {
				t.Errorf("at the end %q", read.Text())
			}
		})
	}
}

// One who has not read for a while, and then goes away.
func TestLastingIsLeftWhileHeldUp(t *testing.T) {
	t.Parallel()
	for name, file := range readers(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			defer file.out.Close()
			socket := filepath.Join(t.TempDir(), "socket")
			journal := listen(t, socket)
			log := NewLasting(file.out, socket, note)
			flood(t, log)
			if err := file.in.Close(); err != nil {
				t.Fatal(err)
			}
			// The line that waited comes first, then the count of those that did not.
			const format = "PRIORITY=6\nSYSLOG_IDENTIFIER=runner-bootstrap\nMESSAGE="
			var waited int
			if _, err := fmt.Sscanf(journal.message(), format+"%d", &waited); err != nil || waited == 0 {
				t.Errorf("line %d waited, %v", waited, err)
			}
			journal.got(fmt.Sprintf(format+"%d lost\n", floodLines-1-waited))
		})
	}
}

// A disk that is full for a while is no reader that is gone.
func TestLastingTriesAgain(t *testing.T) {
	t.Parallel()
	out := &output{err: errors.New("no space left on device")}
	log := NewLasting(out, "", note)
	fmt.Fprint(log, "lost\n")
	out.err = nil
	fmt.Fprint(log, "written\n")
	if got := out.text.String(); got != "1 lost\nwritten\n" {
		t.Errorf("the output got %q", got)
	}
}

func TestJournalOf(t *testing.T) {
	t.Parallel()
	file, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for stream, want := range map[string]string{streamOf(file): journalSocket, "": "", "1:2": "", "nonsense": ""} {
		if got := JournalOf(file, stream); got != want {
			t.Errorf("for %q %q, want %q", stream, got, want)
		}
	}
}
