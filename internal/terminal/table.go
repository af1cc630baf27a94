package terminal

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode"
	"unicode/utf8"
)

// Table writes columns for a person: rows calls line for each row, with a format that has a tab between two cells. At a
// terminal that has no room for them each row is written as facts instead, a line for each of its cells.
func Table(out io.Writer, head string, rows func(line func(format string, values ...any))) error {
	var text bytes.Buffer
	writer := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(writer, head)
	var all [][]string
	rows(func(format string, values ...any) {
		for i, value := range values {
			if text, ok := value.(string); ok {
				values[i] = OneCell(text)
			}
		}
		row := fmt.Sprintf(format, values...)
		all = append(all, strings.Split(row, "\t"))
		fmt.Fprintln(writer, row)
	})
	if err := writer.Flush(); err != nil {
		return err
	}
	if columns := Columns(out); columns > 0 && widest(text.String()) > columns {
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

// printRows writes the rows of a Table below one another.
func printRows(out io.Writer, heads []string, rows [][]string) error {
	for i, row := range rows {
		var facts [][2]string
		for j, cell := range row {
			if heads[j] != "" || cell != "" {
				facts = append(facts, [2]string{heads[j], cell})
			}
		}
		if i > 0 {
			fmt.Fprintln(out)
		}
		if err := Facts(out, facts); err != nil {
			return err
		}
	}
	return nil
}

// OneCell keeps a text of somebody else's from making lines and columns of its own.
func OneCell(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
}

// Facts writes each fact, a name and what is told under it, in a line of its own, or more where a terminal is too narrow for it.
func Facts(out io.Writer, facts [][2]string) error {
	column := 0
	for _, f := range facts {
		column = max(column, len(f[0])+2)
	}
	columns := Columns(out)
	var text strings.Builder
	for _, f := range facts {
		text.WriteString(factLine(f[0], OneCell(f[1]), column, columns) + "\n")
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// factLine is a fact with its text in a column, or below its name where a word of it would not fit there.
func factLine(name, text string, column, columns int) string {
	begin := name + strings.Repeat(" ", column-len(name))
	if columns == 0 {
		return begin + text
	}
	lines := Wrapped(text, columns-column)
	for _, line := range lines {
		if column+len(line) > columns {
			return name + "\n  " + strings.Join(Wrapped(text, columns-2), "\n  ")
		}
	}
	return begin + strings.Join(lines, "\n"+strings.Repeat(" ", column))
}
