package svc

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
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

func TestLastingGoesOnInTheJournal(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "socket")
	journal, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: socket})
	if err != nil {
		t.Fatal(err)
	}
	defer journal.Close()
	out := &output{}
	log := NewLasting(out, socket)
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
		log := NewLasting(&output{err: syscall.EPIPE}, journal)
		for range 3 {
			if n, err := log.Write([]byte("a\n")); n != 2 || err != nil {
				t.Errorf("%s: %d, %v", name, n, err)
			}
		}
	}
}

// A disk that is full for a while is no reader that is gone.
func TestLastingTriesAgain(t *testing.T) {
	t.Parallel()
	out := &output{err: errors.New("no space left on device")}
	log := NewLasting(out, "")
	fmt.Fprint(log, "lost\n")
	out.err = nil
	fmt.Fprint(log, "written\n")
	if got := out.text.String(); got != "written\n" {
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
