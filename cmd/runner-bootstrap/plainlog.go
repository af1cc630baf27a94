package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/runner-bootstrap/runner-bootstrap/internal/svc/systemd"
)

// The forms of what is written to standard error: the values of --log-format.
const (
	formatAuto    = "auto"
	formatLines   = "lines"
	formatJournal = "journal"
	formatText    = "text"
	formatJSON    = "json"
)

func logFormats() []string {
	return []string{formatAuto, formatLines, formatJournal, formatText, formatJSON}
}

// formatOf is what auto stands for: plain lines, which a person can read, with priorities where the journal
// reads them.
func formatOf(format string, out io.Writer) string {
	if format != formatAuto {
		return format
	}
	if file, ok := out.(*os.File); ok && systemd.JournalOf(file, os.Getenv("JOURNAL_STREAM")) != "" {
		return formatJournal
	}
	return formatLines
}

// plainWriter writes plain lines. In the journal each has the priority of its level, and the journal's own time; a
// history that goes elsewhere has a time in each line.
type plainWriter struct {
	mu      sync.Mutex
	to      io.Writer
	journal bool
	history bool
	columns func() int // of the terminal that it is, 0 if it is none
}

// write writes a text of one line or several at once, so that no reader of a log gets halves.
func (w *plainWriter) write(level slog.Level, at time.Time, text string) error {
	begin := ""
	switch {
	case w.journal:
		begin = systemd.PriorityPrefix(level)
	case w.history:
		begin = at.Format(time.DateTime) + " "
	}
	var lines strings.Builder
	for line := range strings.Lines(strings.TrimRight(text, "\n") + "\n") {
		lines.WriteString(fitted(begin+strings.TrimSuffix(line, "\n"), w.columns()) + "\n")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	_, err := io.WriteString(w.to, lines.String())
	return err
}

// plainHandler makes of a log's record a line that a person reads: what happened, why, and the rest in brackets.
type plainHandler struct {
	to     *plainWriter
	level  slog.Level
	prefix string // of the names of attributes: their groups
	with   []slog.Attr
}

// Enabled implements slog.Handler.
func (h *plainHandler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level }

// WithAttrs implements slog.Handler.
func (h *plainHandler) WithAttrs(attributes []slog.Attr) slog.Handler {
	more := *h
	more.with = slices.Clone(h.with)
	for _, a := range attributes {
		more.with = append(more.with, slog.Attr{Key: h.prefix + a.Key, Value: a.Value})
	}
	return &more
}

// WithGroup implements slog.Handler.
func (h *plainHandler) WithGroup(name string) slog.Handler {
	more := *h
	more.prefix += name + "."
	return &more
}

// Handle implements slog.Handler.
func (h *plainHandler) Handle(_ context.Context, record slog.Record) error {
	text := record.Message
	if !h.to.journal {
		text = levelWord(record.Level) + text
	}
	var rest []string
	tell := func(a slog.Attr) {
		switch value := a.Value.Resolve().String(); {
		case value == "":
		case a.Key == "error" || a.Key == "reason" || a.Key == "line":
			text += ": " + strings.ReplaceAll(value, "\n", "\n  ")
		default:
			rest = append(rest, a.Key+"="+plainWord(value))
		}
	}
	for _, a := range h.with {
		tell(a)
	}
	record.Attrs(func(a slog.Attr) bool {
		tell(slog.Attr{Key: h.prefix + a.Key, Value: a.Value})
		return true
	})
	if len(rest) > 0 {
		text += " (" + strings.Join(rest, " ") + ")"
	}
	return h.to.write(record.Level, record.Time, text)
}

// levelWord begins a line that is not about the usual course of things.
func levelWord(level slog.Level) string {
	switch {
	case level >= slog.LevelError:
		return "error: "
	case level >= slog.LevelWarn:
		return "warning: "
	case level < slog.LevelInfo:
		return "debug: "
	}
	return ""
}

// plainWord quotes what would not be seen to be one value.
func plainWord(value string) string {
	if strings.ContainsFunc(value, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || strings.ContainsRune(`"()=`, r)
	}) {
		return strconv.Quote(value)
	}
	return value
}

// askedFormat is the form that a call asks for, before its options are read: a mistake in them is told in it as well.
func askedFormat(arguments []string) string {
	format := os.Getenv(environmentPrefix + "LOG_FORMAT")
	for i, word := range arguments {
		if value, joined := strings.CutPrefix(word, "--log-format="); joined {
			format = value
		} else if word == "--log-format" && i+1 < len(arguments) {
			format = arguments[i+1]
		}
	}
	if !slices.Contains(logFormats(), format) {
		return formatAuto
	}
	return format
}
