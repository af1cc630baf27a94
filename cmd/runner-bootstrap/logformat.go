package main

import (
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
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
	all := []string{formatLines, formatJournal, formatText, formatJSON, formatAuto}
	return slices.DeleteFunc(all, func(f string) bool { return f == formatJournal && runtime.GOOS == "windows" })
}

// formatOf is what auto stands for: plain lines, which a person can read, with priorities where the journal
// reads them.
func formatOf(format string, out io.Writer) string {
	if format != formatAuto {
		return format
	}
	if journalOf(out) != "" {
		return formatJournal
	}
	return formatLines
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
