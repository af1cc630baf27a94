package sealcheck

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf16"

	"github.com/runner-bootstrap/runner-bootstrap/internal/inflate"
)

const (
	// whole is the size up to which a file is looked at in one piece; of a larger one a window of this size goes over it.
	whole = 4 << 20
	// overlap is more than the longest secret that is looked for, so that none is missed between two windows.
	overlap = 64 << 10
	// maxFile is how much of a file is read.
	maxFile = 256 << 20
	// maxInner is how much of what is compressed is looked at, as few bytes can be made of many.
	maxInner = 64 << 20
	// maxNested is how often something encoded is looked for in something encoded.
	maxNested = 3
	// shortest is how long a word in base64 is that could hold a secret.
	shortest = 24
)

// scanner reads files, one after the other, in one room for their text.
type scanner struct {
	look   *look
	shapes []shape
	places []place
	buffer []byte
}

// scan looks at one file.
func (s *scanner) scan(j job) {
	if s.buffer == nil {
		s.buffer, s.shapes, s.places = make([]byte, whole), shapes(), places()
	}
	f := &file{job: j, scanner: s, packaged: packagedPlace(j.name)}
	err := f.read(j.file, maxFile)
	s.look.mu.Lock()
	s.look.files++
	s.look.bytes += f.seen
	s.look.mu.Unlock()
	if err != nil {
		s.look.found(Finding{Path: j.path, Kind: Unread, What: "cannot be read: " + cause(err)})
		return
	}
	if f.seen == maxFile && j.size > maxFile {
		s.look.leave(j.path, fmt.Sprintf("%d of its %d bytes were looked at", f.seen, j.size))
	}
	if len(f.found) == 0 {
		return
	}
	f.distinct()
	if f.secret() && s.look.published.has(j.name, j.path) {
		s.look.mu.Lock()
		s.look.known++
		s.look.mu.Unlock()
		return
	}
	s.look.found(f.found...)
}

// file is what is found in one.
type file struct {
	job
	*scanner
	packaged bool // lies where packages put what they bring
	seen     int64
	lines    int // before what is in the window
	binary   bool
	swap     bool // is a place to swap to, in which nothing was found yet
	settled  bool // its name says what it is, whatever more is found in it
	found    []Finding
}

func (f *file) secret() bool {
	for _, finding := range f.found {
		if finding.Kind == Secret {
			return true
		}
	}
	return false
}

// distinct drops what was told for a name alone where the secret was told by its shape.
func (f *file) distinct() {
	byName := func(what string) bool { return what == namedText || what == namedSecret || what == namedSetting }
	for _, other := range f.found {
		if other.Kind == Secret && !byName(other.What) {
			f.found = slices.DeleteFunc(f.found, func(one Finding) bool {
				return byName(one.What) && (one.Line == other.Line || one.What == namedText)
			})
			return
		}
	}
}

func (f *file) tell(kind Kind, line int, what string) {
	for _, other := range f.found {
		if other.What == what {
			return
		}
	}
	f.found = append(f.found, Finding{Path: f.path, Line: line, Kind: kind, What: what})
}

// read looks at a file window by window.
func (f *file) read(in io.Reader, limit int64) error {
	in = io.LimitReader(in, limit)
	kept := 0
	for {
		n, err := io.ReadFull(in, f.buffer[kept:])
		text := f.buffer[:kept+n]
		first := f.seen == 0
		f.seen += int64(n)
		end := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !end {
			return err
		}
		if first {
			f.begin(text)
		} else if f.swap && !unused(text) {
			f.tell(Memory, 0, usedSwap)
		}
		if first && !f.packaged && isGzip(text) {
			f.unpacked(io.MultiReader(bytes.NewReader(text), in), 0)
			f.seen = min(f.size, limit)
			return nil
		}
		if n > 0 && !f.settled {
			f.window(text)
		}
		if end {
			return nil
		}
		f.lines += bytes.Count(text[:len(text)-overlap], []byte{'\n'})
		kept = copy(f.buffer, text[len(text)-overlap:])
	}
}

// begin looks at what a file begins with, and at what its name says of it.
func (f *file) begin(text []byte) {
	f.binary = bytes.IndexByte(text[:min(len(text), 8<<10)], 0) >= 0
	if decoded := fromUTF16(text); decoded != nil {
		f.binary = false
		f.nested(decoded, 0)
		if f.size > int64(len(text)) {
			f.look.leave(f.path, fmt.Sprintf("is UTF-16, of which %d of %d bytes were looked at", len(text), f.size))
		}
	}
	if isKey(text) {
		f.tell(Secret, 0, "a private key")
	}
	if f.packaged {
		f.units(text)
		return
	}
	if kind := archiveOf(text); kind != "" {
		f.look.closed(f.path, kind)
	}
	if what := memoryOf(text); what != "" {
		f.tell(Memory, 0, what)
	}
	f.swap = swapPage(text) > 0
	f.byName(text)
}

// window looks for secrets in a part of a file.
func (f *file) window(text []byte) {
	for _, m := range matches(f.shapes, text, f.packaged) {
		line := 0
		if !f.binary {
			line = f.lines + 1 + bytes.Count(text[:m.at], []byte{'\n'})
		}
		f.tell(Secret, line, m.what)
	}
	if f.packaged {
		return
	}
	f.encoded(text, func(at int) int {
		if f.binary {
			return 0
		}
		return f.lines + 1 + bytes.Count(text[:at], []byte{'\n'})
	}, 0)
}

// nested looks into what was encoded.
func (f *file) nested(text []byte, line int) { f.inside(text, line, 1) }

func (f *file) inside(text []byte, line, depth int) {
	for _, m := range matches(f.shapes, text, false) {
		f.tell(Secret, line, m.what+", encoded")
	}
	if depth >= maxNested {
		return
	}
	if isGzip(text) {
		f.unpacked(bytes.NewReader(text), line)
		return
	}
	f.encoded(text, func(int) int { return line }, depth)
}

// unpacked looks into what is compressed, and is content with what comes before an error: the text may be cut.
func (f *file) unpacked(in io.Reader, line int) {
	reader := io.LimitReader(inflate.NewGzipReader(in), maxInner)
	part, kept := make([]byte, 512<<10), 0
	for {
		n, err := io.ReadFull(reader, part[kept:])
		f.inside(part[:kept+n], line, maxNested-1)
		if err != nil {
			return
		}
		kept = copy(part, part[len(part)-overlap:])
	}
}

// encoded looks into the words of a text that are long enough for a secret in base64, which may go over several lines.
func (f *file) encoded(text []byte, line func(at int) int, depth int) {
	for at := 0; at < len(text); {
		if !base64Byte(text[at]) {
			at++
			continue
		}
		word, end := run(text, at)
		if len(word) >= shortest {
			f.decoded(word, func() int { return line(at) }, depth, at == 0)
		}
		at = end
	}
}

// run is a word of base64 that begins at a place of a text, with its further lines, and where it ends.
func run(text []byte, at int) (word []byte, end int) {
	const lineLength = 60 // of what is broken into lines: 64, 76 or more
	for {
		begin := at
		for at < len(text) && base64Byte(text[at]) {
			at++
		}
		if word == nil {
			word = text[begin:at:at]
		} else {
			word = append(word, text[begin:at]...)
		}
		next := at
		if at-begin < lineLength {
			return word, at
		}
		for next < len(text) && (text[next] == '\r' || text[next] == '\n' || text[next] == ' ' || text[next] == '\t') {
			next++
		}
		if next == at || next == len(text) || !base64Byte(text[next]) || bytes.IndexByte(text[at:next], '\n') < 0 {
			return word, at
		}
		at = next
	}
}

// decoded looks into one word. One that was cut may begin anywhere in a group of four.
func (f *file) decoded(word []byte, line func() int, depth int, cut bool) {
	starts := 1
	if cut && f.seen > whole {
		starts = 4
	}
	encoding := base64.RawStdEncoding
	if bytes.ContainsAny(word, "-_") {
		encoding = base64.RawURLEncoding
	}
	plain := make([]byte, encoding.DecodedLen(len(word)))
	for start := range starts {
		group := word[min(start, len(word)):]
		group = group[:len(group)-boolInt(len(group)%4 == 1)]
		n, err := encoding.Decode(plain, group)
		if err != nil && n < shortest/2 {
			continue
		}
		if isGzip(plain[:n]) || texty(plain[:n]) {
			f.inside(plain[:n], line(), depth+1)
		}
	}
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func base64Byte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '/' <= c && c <= '9' || c == '+' || c == '-' || c == '_'
}

// texty tells whether something begins as a text does. The start of a word may belong to something else, so a few bytes may not fit.
func texty(text []byte) bool {
	odd := 0
	for _, c := range text[:min(len(text), 64)] {
		if c < ' ' && c != '\n' && c != '\r' && c != '\t' || c > '~' {
			odd++
		}
	}
	return odd <= len(text)/8
}

func isGzip(text []byte) bool { return bytes.HasPrefix(text, []byte{0x1f, 0x8b, 8}) }

// fromUTF16 is the text of one that begins with a byte order mark, or whose first characters are of few bits; nil for any other.
func fromUTF16(text []byte) []byte {
	var order binary.ByteOrder
	begin := 2
	switch {
	case bytes.HasPrefix(text, []byte{0xff, 0xfe}):
		order = binary.LittleEndian
	case bytes.HasPrefix(text, []byte{0xfe, 0xff}):
		order = binary.BigEndian
	default:
		begin = 0
		if order = unmarked(text); order == nil {
			return nil
		}
	}
	units := make([]uint16, 0, len(text)/2)
	for i := begin; i+1 < len(text); i += 2 {
		units = append(units, order.Uint16(text[i:]))
	}
	return []byte(string(utf16.Decode(units)))
}

// unmarked is the order of the bytes of UTF-16 without a mark: what is written in Latin letters has every other byte zero.
func unmarked(text []byte) binary.ByteOrder {
	const least, most = 32, 512
	if len(text) < least {
		return nil
	}
	zeros := [2]int{}
	start := text[:min(len(text), most)]
	for i, c := range start {
		if c == 0 {
			zeros[i%2]++
		}
	}
	half := len(start) / 2
	switch {
	case zeros[1] > half*9/10 && zeros[0] < half/20:
		return binary.LittleEndian
	case zeros[0] > half*9/10 && zeros[1] < half/20:
		return binary.BigEndian
	}
	return nil
}
