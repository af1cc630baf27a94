package terminal

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/runner-bootstrap/runner-bootstrap/internal/svc/systemd"
)

// Lines writes plain lines, for several at a time. In the journal each has the priority of its level, and the journal's own time; a
// history that goes elsewhere has a time in each line.
type Lines struct {
	mu      sync.Mutex
	To      io.Writer
	Journal bool
	History bool
	Columns func() int // of the terminal that it is, 0 if it is none
}

// Write writes a text of one line or several at once, so that no reader of a log gets halves.
func (w *Lines) Write(level slog.Level, at time.Time, text string) error {
	begin := ""
	switch {
	case w.Journal:
		begin = systemd.PriorityPrefix(level)
	case w.History:
		begin = at.Format(time.DateTime) + " "
	}
	var lines strings.Builder
	for line := range strings.Lines(strings.TrimRight(text, "\n") + "\n") {
		lines.WriteString(Fitted(begin+strings.TrimSuffix(line, "\n"), w.Columns()) + "\n")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	_, err := io.WriteString(w.To, lines.String())
	return err
}

// Handler makes of a log's record a line that a person reads: what happened, why, and the rest in brackets.
type Handler struct {
	To     *Lines
	Level  slog.Level
	prefix string // of the names of attributes: their groups
	with   []slog.Attr
}

// Enabled implements slog.Handler.
func (h *Handler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.Level }

// WithAttrs implements slog.Handler.
func (h *Handler) WithAttrs(attributes []slog.Attr) slog.Handler {
	more := *h
	more.with = slices.Clone(h.with)
	for _, a := range attributes {
		more.with = append(more.with, slog.Attr{Key: h.prefix + a.Key, Value: a.Value})
	}
	return &more
}

// WithGroup implements slog.Handler.
func (h *Handler) WithGroup(name string) slog.Handler {
	more := *h
	more.prefix += name + "."
	return &more
}

// Handle implements slog.Handler.
func (h *Handler) Handle(_ context.Context, record slog.Record) error {
	text := record.Message
	if !h.To.Journal {
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
	return h.To.Write(record.Level, record.Time, text)
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
