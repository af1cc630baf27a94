package register

import (
	"bytes"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
)

const (
	// maxLines bounds what is remembered of config.sh's output: the end, which tells why
	// it failed.
	maxLines = 200
	// maxLine bounds one line; what is beyond is dropped.
	maxLine = 64 << 10
	// tail is how long the end of its output is waited for when nothing of it is left.
	tail = 5 * time.Second
)

// listen takes in what comes out of output. Said returns the lines when the output has
// ended, or soon after it was called.
func listen(output io.Reader, t *transcript) (said func() []string) {
	over := make(chan struct{})
	go func() {
		defer close(over)
		_, _ = io.Copy(t, output) // it ends with its writers, or is closed
		t.end()
	}()
	return func() []string {
		select {
		case <-over:
			return t.lines
		case <-time.After(tail):
			return nil
		}
	}
}

// transcript takes in what config.sh prints, line by line. The token is not
// expected in it, and is taken out all the same.
type transcript struct {
	log   *slog.Logger
	token secret.Secret
	begun []byte // a line that has not ended yet
	lines []string
}

func (t *transcript) Write(p []byte) (int, error) {
	rest := p
	for {
		line, after, ended := bytes.Cut(rest, []byte("\n"))
		t.begun = append(t.begun, line[:min(len(line), maxLine-len(t.begun))]...)
		if !ended {
			return len(p), nil
		}
		t.end()
		rest = after
	}
}

// end takes the line that was begun as it is.
func (t *transcript) end() {
	line := strings.TrimSpace(string(t.begun))
	t.begun = t.begun[:0]
	if !t.token.Empty() {
		line = strings.ReplaceAll(line, t.token.Reveal(), t.token.String())
	}
	if line == "" {
		return
	}
	t.log.Debug("config.sh", "line", line)
	if len(t.lines) == maxLines {
		t.lines = slices.Delete(t.lines, 0, 1)
	}
	t.lines = append(t.lines, line)
}
