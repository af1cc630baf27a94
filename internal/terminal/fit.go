package terminal

import (
	"bytes"
	"io"
	"os"
	"runtime"
	"strings"

	"golang.org/x/term"

	"github.com/runner-bootstrap/runner-bootstrap/internal/pattern"
)

// Columns is how many columns the terminal has that out is, or writes to; 0 where it is none.
func Columns(out io.Writer) int {
	if printable, ok := out.(*Printable); ok {
		out = printable.To
	}
	file, ok := out.(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(file.Fd()))
	if err != nil || width <= 0 {
		return 0
	}
	return max(width, leastColumns)
}

// Narrow is what a terminal has fewer columns than that has no room for two columns of text.
const Narrow = 60

const (
	leastColumns = 20 // of a terminal that lines are fitted to
	phaseColumn  = 14 // where the words of a phase begin
)

var (
	// phaseLine is what a phase, an option or a warning before a change begins its line with.
	phaseLine = pattern.New(`^[+=!] \S+ +`)
	// commandLine is a line that ends with a command to paste.
	commandLine = pattern.New(`^(hint:|.*:) ((?:sudo |gh auth token (?:--hostname \S+ )?\| )*(?:/\S*/)?runner-bootstrap .*)$`)
)

// Fitted breaks a line that is too long for a terminal at its words, and further lines of it are indented. A command at
// its end begins a line, and can still be pasted. With no columns the line stays as it is.
func Fitted(line string, columns int) string {
	begin := phaseLine.FindString(line)
	if begin != "" && columns > 0 && columns < Narrow { // no column for the words of a phase, in any of its lines
		line, begin = strings.TrimRight(begin, " ")+" "+line[len(begin):], ""
	}
	if columns == 0 || len(line) <= columns {
		return line
	}
	parts := commandLine.FindStringSubmatch(line)
	switch {
	case parts == nil && begin != "":
		return brokenLine(line[len(begin):], begin, strings.Repeat(" ", phaseColumn), columns)
	case parts == nil:
		return brokenText(line, columns)
	}
	command := "  " + parts[2]
	if len(command) > columns && !strings.ContainsAny(command, `'"`) { // else a break would be part of a value
		command = BrokenCommand(parts[2], columns)
	}
	return Fitted(parts[1], columns) + "\n" + command
}

// brokenText breaks a line whatever it says. What it is indented by already stays.
func brokenText(line string, columns int) string {
	if columns == 0 || len(line) <= columns {
		return line
	}
	text := strings.TrimLeft(line, " ")
	own := line[:len(line)-len(text)]
	return brokenLine(text, own, own+"  ", columns)
}

// brokenLine breaks a text whose first line begins in one way and the others in another.
func brokenLine(text, first, others string, columns int) string {
	lines := Wrapped(text, columns-len(first))
	if len(lines) > 1 {
		lines = append(lines[:1], Wrapped(strings.Join(lines[1:], " "), columns-len(others))...)
	}
	return first + strings.Join(lines, "\n"+others)
}

// fittingWriter breaks the lines that are written to it where they are too long.
type fittingWriter struct {
	to      io.Writer
	columns func() int
	part    []byte // of a line whose rest is to come
}

// Fitting is out, with its lines broken where it is a terminal. A last line that does not end is lost.
func Fitting(out io.Writer) io.Writer {
	if Columns(out) == 0 {
		return out
	}
	return &fittingWriter{to: out, columns: func() int { return Columns(out) }}
}

// Write implements io.Writer.
func (w *fittingWriter) Write(p []byte) (int, error) {
	w.part = append(w.part, p...)
	end := bytes.LastIndexByte(w.part, '\n') + 1
	var lines strings.Builder
	for line := range strings.Lines(string(w.part[:end])) {
		lines.WriteString(brokenText(strings.TrimSuffix(line, "\n"), w.columns()) + "\n")
	}
	w.part = append([]byte(nil), w.part[end:]...)
	if _, err := io.WriteString(w.to, lines.String()); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Wrapped breaks text into lines of at most width bytes, where its words allow.
func Wrapped(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines = append(lines, line)
			line = ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return append(lines, line)
}

// BrokenCommand breaks a command at its words where it is too long for a line, so that it can still be pasted.
func BrokenCommand(command string, width int) string {
	if runtime.GOOS == "windows" {
		return "  " + command // its shells have no common mark for a line that goes on
	}
	lines := Wrapped(command, width-6)
	return "  " + strings.Join(lines, " \\\n    ")
}
