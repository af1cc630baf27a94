package svc

import (
	"errors"
	"io"
	"os"
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
)

// JournalOf is where a service finds the journal again that its output goes to;
// empty if it does not go there. stream is systemd's variable JOURNAL_STREAM.
func JournalOf(output *os.File, stream string) string {
	if stream == "" || streamOf(output) != stream {
		return ""
	}
	return journalSocket
}

// Lasting is the output of a process that outlives what reads it: what can no
// longer be written goes to the journal, if it went there before, and is lost
// otherwise. Its writes never fail.
type Lasting struct {
	mu      sync.Mutex
	out     io.Writer
	journal string
	gone    bool
	again   time.Time // when the journal is tried again
}

// NewLasting wraps out; journal is from [JournalOf].
func NewLasting(out io.Writer, journal string) *Lasting { return &Lasting{out: out, journal: journal} }

// Write implements io.Writer.
func (l *Lasting) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.gone {
		_, err := l.out.Write(text)
		l.gone = errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
	}
	if l.gone && l.journal != "" && !time.Now().Before(l.again) {
		for line := range strings.Lines(string(text)) {
			if err := deliver(l.journal, journalMessage(strings.TrimRight(line, "\n"))); err != nil {
				l.again = time.Now().Add(journalPause) // it may be stopped: what is said meanwhile is lost
				break
			}
		}
	}
	return len(text), nil
}

// journalMessage is one line in the journal's format: fields, one in a line.
func journalMessage(line string) string {
	return "PRIORITY=6\nSYSLOG_IDENTIFIER=runner-bootstrap\nMESSAGE=" + line + "\n"
}
