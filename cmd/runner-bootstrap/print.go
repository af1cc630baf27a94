package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode"
)

// table writes columns for a person.
func table(out io.Writer, head string, rows func(line func(format string, values ...any))) error {
	writer := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(writer, head)
	rows(func(format string, values ...any) {
		for i, value := range values {
			if text, ok := value.(string); ok {
				values[i] = oneCell(text)
			}
		}
		fmt.Fprintf(writer, format+"\n", values...)
	})
	return writer.Flush()
}

// oneCell keeps a text of GitHub's from making lines and columns of its own.
func oneCell(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
}

func yes(on bool) string {
	if on {
		return "yes"
	}
	return "no"
}

func printJSON(out io.Writer, value any) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}
