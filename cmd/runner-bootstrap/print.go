package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode"
	"unicode/utf8"
)

// table writes columns for a person. At a terminal that has no room for them each row is written as facts instead, a
// line for each of its cells.
func table(out io.Writer, head string, rows func(line func(format string, values ...any))) error {
	var text bytes.Buffer
	writer := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(writer, head)
	var all [][]string
	rows(func(format string, values ...any) {
		for i, value := range values {
			if text, ok := value.(string); ok {
				values[i] = oneCell(text)
			}
		}
		row := fmt.Sprintf(format, values...)
		all = append(all, strings.Split(row, "\t"))
		fmt.Fprintln(writer, row)
	})
	if err := writer.Flush(); err != nil {
		return err
	}
	if columns := columnsOf(out); columns > 0 && widest(text.String()) > columns {
		return printRows(out, strings.Split(head, "\t"), all)
	}
	_, err := out.Write(text.Bytes())
	return err
}

// widest is how many columns the longest line needs.
func widest(text string) int {
	most := 0
	for line := range strings.Lines(text) {
		most = max(most, utf8.RuneCountInString(strings.TrimRight(line, " \n")))
	}
	return most
}

// printRows writes the rows of a table below one another.
func printRows(out io.Writer, heads []string, rows [][]string) error {
	for i, row := range rows {
		var facts []fact
		for j, cell := range row {
			if heads[j] != "" || cell != "" {
				facts = append(facts, fact{heads[j], cell})
			}
		}
		if i > 0 {
			fmt.Fprintln(out)
		}
		if err := printFacts(out, facts); err != nil {
			return err
		}
	}
	return nil
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
