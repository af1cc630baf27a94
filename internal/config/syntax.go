package config

import (
	"bytes"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/runner-bootstrap/runner-bootstrap/internal/pattern"
)

var (
	// saidByYAML is how the parser words an error. Its line is left out where it is the first one.
	saidByYAML = pattern.New(`^yaml: (?:line (\d+): )?(.*)$`)
	// wideBlank is a blank that only looks like one, where one is wanted: behind a key's colon, or in front of a line.
	wideBlank = pattern.New(`(?m)^([ -]*|[ -]*[A-Za-z_-]+:)[\x{a0}\x{2002}-\x{200b}\x{202f}\x{3000}]`)
	// tabInFront is a line that a tab indents.
	tabInFront = pattern.New(`(?m)^ *\t`)
	unknown    = pattern.New(`^unknown anchor '(.*)' referenced$`)
)

// oneLess are errors whose line the parser counts from 0, unlike those of its other half.
func oneLess() []string {
	return []string{
		"did not find expected key", "did not find expected ',' or", "did not find expected '-' indicator",
		"did not find expected node content", "did not find expected <", "found duplicate %", "found incompatible YAML document",
		"found undefined tag handle",
	}
}

// plainWords says what is wrong, and what to do, where the parser speaks of itself.
func plainWords() [][2]string {
	return [][2]string{
		{"could not find expected ':'", `a line without ": ", which stands between a key and its value`},
		{"mapping values are not", `a key is not expected here: it is indented too far, or a value with ": " in it lacks its quotes`},
		{"did not find expected key", "a key is expected here: look at the indentation, and at what stands behind a quote or a bracket"},
		{"did not find expected ',' or ']'", "a list is not closed by ], or has no comma between two values"},
		{"did not find expected ',' or '}'", "a map is not closed by }, or has no comma between two values"},
		{"found unexpected end of stream", "a quote is not closed"},
		{"did not find expected hexdecimal number", `within "" a \ has a meaning of its own; put the value in '' instead`},
		{"found unknown escape character", `within "" a \ has a meaning of its own; put the value in '' instead`},
		{"found a tab character", "a tab; lines are indented by blanks"},
		{"found incompatible YAML document", "its line %YAML names another version; leave the line out"},
	}
}

// syntaxError says where and why a text is no YAML.
func syntaxError(name string, text []byte, err error) error {
	parts := saidByYAML.FindStringSubmatch(strings.ReplaceAll(err.Error(), "\n", " "))
	if parts == nil {
		return Place{File: name}.Errorf("it is not YAML: %v", err)
	}
	if at, what := badEncoding(text); what != "" {
		return at.in(name).Errorf("it is not YAML: %s", what)
	}
	at, said := Place{Line: 1}, parts[2]
	if line, err := strconv.Atoi(parts[1]); err == nil {
		at.Line = line
		if slices.ContainsFunc(oneLess(), func(begin string) bool { return strings.HasPrefix(said, begin) }) {
			at.Line++
		}
	}
	if at, found := wideBlankIn(text); found {
		return at.in(name).Errorf("it is not YAML: %s", wideBlankText)
	}
	if parts := unknown.FindStringSubmatch(said); parts != nil {
		at = placeOf(text, max(0, bytes.Index(text, []byte("*"+parts[1]))))
		said = "*" + parts[1] + " stands for what &" + parts[1] + " marks, and nothing is; a text that begins with * needs quotes"
	}
	if where := tabInFront.Regexp().FindIndex(text); where != nil && strings.HasPrefix(said, "found a tab character") {
		at.Line = placeOf(text, where[0]).Line // it is told with the line before
	}
	for _, words := range plainWords() {
		if strings.HasPrefix(said, words[0]) {
			said = words[1]
		}
	}
	if strings.HasPrefix(said, "found character that cannot start") {
		said = badStart(text, at.Line)
	}
	return at.in(name).Errorf("it is not YAML: %s", said)
}

const wideBlankText = "a wide or no-break blank stands where an ordinary one is wanted"

// wideBlankIn finds the first of them.
func wideBlankIn(text []byte) (at Place, found bool) {
	where := wideBlank.Regexp().FindIndex(text)
	if where == nil {
		return Place{}, false
	}
	_, size := utf8.DecodeLastRune(text[:where[1]])
	return placeOf(text, where[1]-size), true
}

func (p Place) in(name string) Place {
	p.File = name
	return p
}

// placeOf is where a byte stands.
func placeOf(text []byte, offset int) Place {
	before := string(text[:offset])
	line := before[strings.LastIndexByte(before, '\n')+1:]
	return Place{Line: 1 + strings.Count(before, "\n"), Column: 1 + utf8.RuneCountInString(line)}
}

// badStart says which character begins a value, or a line, and may not.
func badStart(text []byte, number int) string {
	lines := strings.Split(string(text), "\n")
	line := lines[min(number, len(lines))-1]
	if begin := line[:len(line)-len(strings.TrimLeft(line, " \t"))]; strings.Contains(begin, "\t") {
		return "a tab; lines are indented by blanks"
	}
	if found := regexp.MustCompile("(?:^|[:,\\[{-] *)([@`%])").FindStringSubmatch(line); found != nil {
		return "a value that begins with " + found[1] + " needs quotes"
	}
	return "a character that no value begins with; put the value in quotes"
}

// badEncoding finds what is no text in the encodings of YAML, and where; the texts that a byte order mark introduces are read
// by the parser, but those of four bytes to a letter.
func badEncoding(text []byte) (at Place, what string) {
	switch {
	case bytes.HasPrefix(text, []byte("\xff\xfe\x00\x00")), bytes.HasPrefix(text, []byte("\x00\x00\xfe\xff")):
		return Place{}, "it is in UTF-32; save it as UTF-8"
	case bytes.HasPrefix(text, []byte("\xff\xfe")), bytes.HasPrefix(text, []byte("\xfe\xff")):
		return Place{}, ""
	case len(text) > 3 && (text[0] == 0) != (text[1] == 0) && (text[0] == 0) == (text[2] == 0) && (text[1] == 0) == (text[3] == 0):
		return Place{}, "it is in UTF-16 without a byte order mark; save it as UTF-8"
	}
	for offset := 0; offset < len(text); {
		r, size := utf8.DecodeRune(text[offset:])
		switch {
		case r == utf8.RuneError && size == 1:
			return placeOf(text, offset), "byte 0x" + strconv.FormatUint(uint64(text[offset]), 16) + " is not UTF-8; save the file as UTF-8"
		case r < ' ' && !strings.ContainsRune("\t\n\r", r), r == 0x7f, 0x80 <= r && r < 0xa0 && r != 0x85, r == 0xfffe, r == 0xffff:
			return placeOf(text, offset), "the control character " + strconv.QuoteRuneToASCII(r) + " may not stand in it"
		}
		offset += size
	}
	return Place{}, ""
}
