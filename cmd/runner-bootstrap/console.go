package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/terminal"
)

// The rules of what is written to standard error:
//
//   - Wherever a person may read it, at a terminal or later in a file, there is one
//     line for each phase when it ends: what was done to which object, with what
//     result, in what time. While an archive comes in, a terminal has a bar, and
//     everything else one line in ten seconds.
//   - The journal gets the same lines with its priorities.
//   - A supervisor (run) also tells what its runner does: a history, with a time in
//     each line where the journal does not keep one.
//   - Machines that ask for it (--log-format text or json) get log lines with fixed keys.
//   - --no-progress silences bar and lines, nothing else.
//   - Nothing is said twice: an error appears once, at the end, from exit.go.

// progressEach is how often progress is logged where there is no terminal.
const progressEach = 10 * time.Second

// console tells what happens; it is the observer of the phases.
type console struct {
	out      io.Writer
	plain    io.Writer // out, for everything but the bar
	lines    *terminal.Lines
	terminal bool
	person   bool // lines, one for each phase
	quiet    bool // no progress
	log      *slog.Logger

	asking atomic.Bool // somebody is being asked
	asked  bool        // somebody has typed a token, or was to

	phase  plan.Phase
	object string
	begun  time.Time
	logged time.Time
	bar    terminal.Bar
	// resumed is what an interrupted run had received already: it tells nothing of
	// the rate. It is negative before the first word of progress.
	resumed int64
	since   time.Time
}

func newConsole(out io.Writer, o callOptions) *console {
	format := formatOf(o.logFormat, out)
	printable := &terminal.Printable{To: out}
	c := &console{
		out: out, plain: printable, quiet: o.noProgress, person: format == formatLines || format == formatJournal,
		terminal: terminal.Is(out), bar: terminal.Bar{Out: out},
		lines: &terminal.Lines{
			To: printable, Journal: format == formatJournal, History: o.history,
			Columns: func() int { return terminal.Columns(out) },
		},
	}
	var level slog.Level
	_ = level.UnmarshalText([]byte(o.logLevel)) // callOptions.check has refused what it is not
	switch format {
	case formatJSON:
		c.log = slog.New(slog.NewJSONHandler(printable, &slog.HandlerOptions{Level: level}))
	case formatText:
		c.log = slog.New(slog.NewTextHandler(printable, &slog.HandlerOptions{Level: level}))
	default:
		c.log = slog.New(&terminal.Handler{To: c.lines, Level: level})
	}
	return c
}

// say writes lines for a person. Standard error is where a failure would be told: nothing can be done about its own.
func (c *console) say(level slog.Level, format string, values ...any) {
	_ = c.lines.Write(level, time.Now(), fmt.Sprintf(format, values...))
}

// Begin implements bootstrap.Observer.
func (c *console) Begin(phase plan.Phase, object string) {
	c.phase, c.object, c.begun, c.logged = phase, object, time.Now(), time.Now()
	c.resumed = -1
	c.log.Debug("begin", "phase", phase, "object", object)
}

// Progress implements bootstrap.Observer.
func (c *console) Progress(done, total int64) {
	if c.resumed < 0 || done < c.resumed {
		c.resumed, c.since = done, time.Now()
	}
	switch {
	case c.quiet:
	case c.person && c.terminal:
		c.bar.Show(string(c.phase), done, total)
	case time.Since(c.logged) >= progressEach:
		c.logged = time.Now()
		c.line(done, total)
	}
}

// line tells the progress where there is no bar.
func (c *console) line(done, total int64) {
	took := time.Since(c.since)
	left := terminal.TimeLeft(done-c.resumed, total-done, took)
	if !c.person {
		attributes := []any{"phase", c.phase, "object", c.object, "bytes", done, "rate", terminal.Rate(done-c.resumed, took)}
		if total > 0 {
			attributes = append(attributes, "total", total, "left", left)
		}
		c.log.Info("progress", attributes...)
		return
	}
	amount := terminal.Megabytes(done)
	if total > 0 {
		amount += " of " + terminal.Megabytes(total)
	}
	if left != "" {
		left = ", " + left + " left"
	}
	c.say(slog.LevelInfo, "  %-11s %s: %s (%s%s)", c.phase, c.object, amount, terminal.Rate(done-c.resumed, took), left)
}

// End implements bootstrap.Observer.
func (c *console) End(phase plan.Phase, result string, kept bool, err error) {
	c.bar.Clear()
	took := time.Since(c.begun)
	if err != nil {
		c.log.Debug("failed", "phase", phase, "object", c.object, "took", took, "error", err)
		return
	}
	if !c.person {
		c.log.Info("done", "phase", phase, "object", c.object, "result", result, "kept", kept, "took", took.Round(time.Millisecond))
		return
	}
	if kept {
		c.say(slog.LevelInfo, "= %-11s %s: %s", phase, c.object, result)
		return
	}
	c.say(slog.LevelInfo, "+ %-11s %s: %s (%s)", phase, c.object, result, short(took))
}

// summary is the last line of a command that went well.
func (c *console) summary(text string) {
	if c.person {
		c.say(slog.LevelInfo, "%s", terminal.OneCell(text))
		return
	}
	c.log.Info(text)
}

// failure is the last line of one that did not. Hint is a command, and todo says
// who has to change what where no command helps.
func (c *console) failure(err error, hint, todo, see string, code int) {
	c.bar.Clear()
	if !c.person {
		about := []slog.Attr{slog.String("hint", hint), slog.Int("exit_code", code)}
		if todo != "" {
			about = append(about, slog.String("to_do", todo))
		}
		if see != "" {
			about = append(about, slog.String("see", see))
		}
		c.log.LogAttrs(context.Background(), slog.LevelError, err.Error(), about...)
		return
	}
	c.say(slog.LevelError, "runner-bootstrap: %s", strings.ReplaceAll(err.Error(), "\n", "\n  "))
	if hint != "" {
		c.say(slog.LevelError, "hint: %s", hint)
	}
	if todo != "" {
		c.say(slog.LevelError, "to do: %s", todo)
	}
	if see != "" {
		c.say(slog.LevelError, "see: %s", see)
	}
}

func short(d time.Duration) string {
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(100 * time.Millisecond).String()
}
