package systemd

import (
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// journalSocket takes single messages, in a format that is documented and stable
	// (systemd, JOURNAL_NATIVE_PROTOCOL). Unlike the stream that a service gets as its
	// output, it is there again after the journal was stopped and started.
	journalSocket = "/run/systemd/journal/socket"
	// journalPause is how long a journal that does not take a message is left alone.
	journalPause = 5 * time.Second
	// writePatience is for a reader that is slow. While the journal is stopped, systemd 257
	// keeps the stream to it open: nothing fails, and once 8 MB of buffers are full a write
	// waits until the journal is back.
	writePatience = time.Second
)

// JournalOf is where a service finds the journal again that its output goes to;
// empty if it does not go there. stream is systemd's variable JOURNAL_STREAM.
func JournalOf(output *os.File, stream string) string {
	if stream == "" || streamOf(output) != stream {
		return ""
	}
	return journalSocket
}

// Lasting is the output of a process that outlives what reads it. What can no longer
// be written goes to the journal, if it went there before, and is lost otherwise; what
// a reader does not take in time is lost as well. Its writes never fail, and none waits
// for longer than a second or two. Each is taken for whole lines.
type Lasting struct {
	mu      sync.Mutex
	out     io.Writer
	journal string
	note    func(lost int) []byte
	gone    bool      // nobody will read out any more
	stuck   bool      // a write to out has not come back yet
	lost    int       // lines of which no note was taken yet
	again   time.Time // when the journal is tried again
}

// NewLasting wraps out; journal is from [JournalOf]. Note makes the line that says how
// many were lost before it.
func NewLasting(out io.Writer, journal string, note func(lost int) []byte) *Lasting {
	return &Lasting{out: out, journal: journal, note: note}
}

// Write implements io.Writer.
func (l *Lasting) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tellLost()
	l.pass(text, bytes.Count(text, []byte("\n")))
	return len(text), nil
}

// tellLost passes the note on. Where that is lost too, it is as many lines again.
func (l *Lasting) tellLost() {
	if lost := l.lost; lost > 0 && !l.stuck {
		l.lost = 0
		l.pass(l.note(lost), lost)
	}
}

// pass passes text on, which stands for so many lines.
func (l *Lasting) pass(text []byte, lines int) {
	switch {
	case l.stuck:
		l.lost += lines
		return
	case l.gone:
		l.toJournal(text, lines)
		return
	}
	text = slices.Clone(text) // it may still be needed after Write, whose caller uses it again
	written := make(chan error, 1)
	go func() {
		_, err := l.out.Write(text)
		written <- err
	}()
	timer := time.NewTimer(writePatience)
	defer timer.Stop()
	select {
	case err := <-written:
		l.passed(text, lines, err)
	case <-timer.C:
		l.stuck = true
		go func() {
			err := <-written
			l.mu.Lock()
			defer l.mu.Unlock()
			l.stuck = false
			l.passed(text, lines, err)
			l.tellLost() // perhaps nothing else is said for long
		}()
	}
}

// passed is told how the writing of text has ended.
func (l *Lasting) passed(text []byte, lines int, err error) {
	switch {
	case errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNRESET):
		l.gone = true
		l.toJournal(text, lines)
	case err != nil:
		l.lost += lines
	}
}

// toJournal delivers text line by line.
func (l *Lasting) toJournal(text []byte, lines int) {
	if l.journal == "" {
		return // there is nobody whom a count could be told
	}
	if time.Now().Before(l.again) {
		l.lost += lines
		return
	}
	delivered := 0
	for line := range strings.Lines(string(text)) {
		if err := deliver(l.journal, journalMessage(strings.TrimRight(line, "\n"))); err != nil {
			l.again = time.Now().Add(journalPause) // it may be stopped
			l.lost += lines - delivered
			return
		}
		delivered++
	}
}

// journalMessage is one line in the journal's format: fields, one in a line. The stream that a service has as its
// output knows a priority by how the line begins, and this socket does not.
func journalMessage(line string) string {
	priority, text := cutPriority(line)
	return "PRIORITY=" + priority + "\nSYSLOG_IDENTIFIER=runner-bootstrap\nMESSAGE=" + text + "\n"
}
