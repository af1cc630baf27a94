package terminal

import (
	"fmt"
	"io"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Printable writes what a terminal would obey, or what would turn the
// direction of a line, as JSON escapes it (\u001b): names and words come from
// GitHub, and from what stands between it and us. In JSON that means the same as
// before.
type Printable struct {
	To   io.Writer
	part []byte // of a character whose rest is to come
}

// Write implements io.Writer.
func (w *Printable) Write(p []byte) (int, error) {
	text := append(w.part, p...)
	w.part = nil
	out := make([]byte, 0, len(text))
	for len(text) > 0 {
		if !utf8.FullRune(text) {
			w.part = append(w.part, text...)
			break
		}
		r, size := utf8.DecodeRune(text)
		text = text[size:]
		out = appendPrintable(out, r)
	}
	if _, err := w.To.Write(out); err != nil {
		return 0, err
	}
	return len(p), nil
}

func appendPrintable(out []byte, r rune) []byte {
	switch {
	case r == '\n' || r == '\t' || unicode.IsPrint(r):
		return utf8.AppendRune(out, r)
	case r > 0xffff:
		high, low := utf16.EncodeRune(r)
		return fmt.Appendf(out, `\u%04x\u%04x`, high, low)
	}
	return fmt.Appendf(out, `\u%04x`, r)
}
