package main

import (
	"bytes"
	"io"
	"os"
	"regexp"
	"strings"

	"golang.org/x/term"
)

// columnsOf is how many columns the terminal has that out is; 0 where it is none.
func columnsOf(out io.Writer) int {
	if printable, ok := out.(*printableWriter); ok {
		out = printable.to
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

const (
	leastColumns = 20 // of a terminal that lines are fitted to
	phaseColumn  = 14 // where the words of a phase begin
)

var (
	// phaseLine is what a phase, an option or a warning before a change begins its line with.
	phaseLine = regexp.MustCompile(`^[+=!] \S+ +`)
	// commandLine is a line that ends with a command to paste.
	commandLine = regexp.MustCompile(`^(hint:|.*:) ((?:sudo |gh auth token \| )*(?:/\S*/)?runner-bootstrap .*)$`)
)

// fitted breaks a line that is too long for a terminal at its words, and further lines of it are indented. A command at
// its end begins a line, and can still be pasted. With no columns the line stays as it is.
func fitted(line string, columns int) string {
	begin := phaseLine.FindString(line)
	if begin != "" && columns > 0 && columns < narrow { // no column for the words of a phase, in any of its lines
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
		command = brokenCommand(parts[2], columns)
	}
	return fitted(parts[1], columns) + "\n" + command
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
	lines := wrapped(text, columns-len(first))
	if len(lines) > 1 {
		lines = append(lines[:1], wrapped(strings.Join(lines[1:], " "), columns-len(others))...)
	}
	return first + strings.Join(lines, "\n"+others)
}

// fittingWriter breaks the lines that are written to it where they are too long.
type fittingWriter struct {
	to      io.Writer
	columns func() int
	part    []byte // of a line whose rest is to come
}

// fitting is out, with its lines broken where it is a terminal. Lines that do not end are lost.
func fitting(out io.Writer) io.Writer {
	if columnsOf(out) == 0 {
		return out
	}
	return &fittingWriter{to: out, columns: func() int { return columnsOf(out) }}
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

// fact is one thing that is told under its name.
type fact struct{ name, text string }

// printFacts writes each fact in a line of its own, or more where a terminal is too narrow for it.
func printFacts(out io.Writer, facts []fact) error {
	column := 0
	for _, f := range facts {
		column = max(column, len(f.name)+2)
	}
	columns := columnsOf(out)
	var text strings.Builder
	for _, f := range facts {
		text.WriteString(f.line(column, columns) + "\n")
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// line is the fact with its text in a column, or below its name where a word of it would not fit there.
func (f fact) line(column, columns int) string {
	text := oneCell(f.text)
	if columns == 0 {
		return f.name + strings.Repeat(" ", column-len(f.name)) + text
	}
	lines := wrapped(text, columns-column)
	for _, line := range lines {
		if column+len(line) > columns {
			return f.name + "\n  " + strings.Join(wrapped(text, columns-2), "\n  ")
		}
	}
	return f.name + strings.Repeat(" ", column-len(f.name)) + strings.Join(lines, "\n"+strings.Repeat(" ", column))
}
