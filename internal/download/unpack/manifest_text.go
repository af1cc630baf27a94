package unpack

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"runtime"
	"strconv"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download/unpack/naming"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download/unpack/workers"
)

// The text begins with its schema and ends with the count of its entries and the
// CRC-32C of all lines before, so that one that was cut is known. Each line in
// between is an entry:
//
//	f MODE SIZE MTIME CRC "PATH"
//	d MODE "PATH"
//	l "PATH" "TARGET"
//	h "PATH" "TARGET"
const (
	schema = "runner tree 1"
	// A quoted byte takes 4 at most, and an entry 60 beside its texts.
	maxManifest = 4*maxText + 60*maxEntries
	maxLine     = 8*naming.MaxName + 100
)

// WriteTo writes the manifest as text, in few calls of w. It implements
// io.WriterTo.
func (m *Manifest) WriteTo(w io.Writer) (total int64, err error) {
	buffered := bufio.NewWriterSize(w, 64<<10)
	castagnoli, crc := crc32.MakeTable(crc32.Castagnoli), uint32(0)
	write := func(line []byte) {
		n, _ := buffered.Write(line) // a bufio.Writer keeps its first error
		total, crc = total+int64(n), crc32.Update(crc, castagnoli, line)
	}
	line := append(make([]byte, 0, 512), schema+"\n"...)
	write(line)
	for i := range m.entries {
		line = m.entries[i].append(line[:0])
		write(line)
	}
	write(fmt.Appendf(line[:0], "end %d %08x\n", len(m.entries), crc))
	if err := buffered.Flush(); err != nil {
		return total - int64(buffered.Buffered()), fmt.Errorf("writing the manifest: %w", hostError(err))
	}
	return total, nil
}

// append adds the line of e.
func (e *entry) append(line []byte) []byte {
	line = append(line, e.kind, ' ')
	if e.kind == aFile || e.kind == aDir {
		line = strconv.AppendUint(line, uint64(e.mode), 8)
		line = append(line, ' ')
	}
	if e.kind == aFile {
		line = strconv.AppendInt(line, e.size, 10)
		line = append(line, ' ')
		line = strconv.AppendInt(line, e.mtime, 10)
		var sum [4]byte
		binary.BigEndian.PutUint32(sum[:], e.crc)
		line = append(hex.AppendEncode(append(line, ' '), sum[:]), ' ')
	}
	line = appendQuoted(line, e.path)
	if e.kind == aLink || e.kind == aHardLink {
		line = appendQuoted(append(line, ' '), e.target)
	}
	return append(line, '\n')
}

// appendQuoted is strconv.AppendQuote, faster for ordinary names.
func appendQuoted(line []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return strconv.AppendQuote(line, text)
		}
	}
	return append(append(append(line, '"'), text...), '"')
}

// ReadManifest reads what [Manifest.WriteTo] wrote, and nothing else: r ends
// with it. A manifest that was cut or changed, or one that Tar could not
// have made, is [ErrDamaged]; the failure of r is returned as it is.
func ReadManifest(r io.Reader) (*Manifest, error) {
	m, err := readManifest(r)
	if err != nil {
		return nil, fmt.Errorf("reading the manifest: %w", err)
	}
	return m, nil
}

func readManifest(r io.Reader) (*Manifest, error) {
	text, err := allOf(r)
	if err != nil {
		return nil, err
	}
	lines, count, err := unseal(text)
	if err != nil {
		return nil, err
	}
	// Texts are parts of what was read, and the entries have their room at once: memory that a process has to ask for, as an agent has
	// between two jobs, takes longer than what is read here.
	in := &manifestReader{dirs: []string{"."}, entries: make([]entry, count)}
	if err := parse(lines, in.entries); err != nil {
		return nil, err
	}
	for i := range in.entries {
		if !in.fits(i) {
			return nil, fmt.Errorf("%w: %.300q of the manifest is not where it could be", ErrDamaged, in.entries[i].path)
		}
	}
	return in.finish()
}

// unseal takes a manifest's first and last line off, if they are right.
func unseal(text string) (lines string, count int, err error) {
	lines, known := strings.CutPrefix(text, schema+"\n")
	if !known {
		return "", 0, fmt.Errorf("%w: no manifest of this kind", ErrDamaged)
	}
	begin := strings.LastIndexByte(strings.TrimSuffix(text, "\n"), '\n') + 1
	lines, last := lines[:max(begin-len(schema)-1, 0)], text[begin:]
	if count = strings.Count(lines, "\n"); count > maxEntries {
		return "", 0, fmt.Errorf("%w: the manifest has %d entries", ErrDamaged, count)
	}
	if last != fmt.Sprintf("end %d %08x\n", count, checksum(text[:begin])) {
		return "", 0, fmt.Errorf("%w: the manifest has been cut or changed", ErrDamaged)
	}
	return lines, count, nil
}

// parse reads as many lines as there are entries, with all processors.
func parse(lines string, entries []entry) error {
	const fewest = 1000 // of which a goroutine is worth it
	several := max(1, min(runtime.NumCPU(), len(entries)/fewest))
	var parts []linesOf
	for first := 0; lines != ""; {
		end := len(lines) / (several - len(parts))
		end += strings.IndexByte(lines[end-1:], '\n')
		count := strings.Count(lines[:end], "\n")
		parts = append(parts, linesOf{lines[:end], entries[first : first+count]})
		first, lines = first+count, lines[end:]
	}
	return workers.Run(context.Background(), len(parts), func(_ context.Context, number int) error { return parts[number].parse() })
}

// linesOf are lines, and the room for what they say.
type linesOf struct {
	text    string
	entries []entry
}

// parse reads entries that are written as WriteTo writes them.
func (l linesOf) parse() error {
	again := make([]byte, 0, 512)
	for i := range l.entries {
		line, rest, _ := strings.Cut(l.text, "\n")
		e, ok := parseEntry(line)
		if ok && len(line) < maxLine {
			again = e.append(again[:0])
			ok = string(again[:len(again)-1]) == line // there is one way to write each
		}
		if !ok || len(line) >= maxLine {
			return fmt.Errorf("%w: a line of the manifest is %.300q", ErrDamaged, line)
		}
		l.entries[i], l.text = e, rest
	}
	return nil
}

// checksum is the CRC-32C of a text, without a copy of it.
func checksum(text string) (crc uint32) {
	castagnoli := crc32.MakeTable(crc32.Castagnoli)
	for part := make([]byte, 16<<10); text != ""; {
		n := copy(part, text)
		crc, text = crc32.Update(crc, castagnoli, part[:n]), text[n:]
	}
	return crc
}

// allOf reads everything, of a file into memory of its size, up to one byte more than a manifest can have.
func allOf(r io.Reader) (string, error) {
	var text strings.Builder
	if file, ok := r.(fs.File); ok {
		if info, err := file.Stat(); err == nil {
			text.Grow(int(min(info.Size(), maxManifest)) + 1)
		}
	}
	_, err := io.Copy(&text, io.LimitReader(r, maxManifest+1))
	return text.String(), err
}

// manifestReader holds the entries of a manifest against each other.
type manifestReader struct {
	entries []entry
	dirs    []string // that the last entry is in, itself among them if it is one
	text    int
	bytes   int64
}

// finish looks at what only the whole can tell.
func (in *manifestReader) finish() (*Manifest, error) {
	m := &Manifest{entries: in.entries} // fits has seen that they are in order
	for i := range m.entries {
		e := &m.entries[i]
		if e.kind != aHardLink {
			continue
		}
		if file := m.find(e.target); file == nil || file.kind != aFile {
			return nil, fmt.Errorf("%w: the manifest links %.300q to no file", ErrDamaged, e.path)
		}
	}
	return m, nil
}

// fits tells whether a tree with the entries before could have this one as well. It is called for each, in their order.
func (in *manifestReader) fits(i int) bool {
	e := &in.entries[i]
	if i > 0 && comparePaths(in.entries[i-1].path, e.path) >= 0 {
		return false
	}
	// What the directory is called was looked at with its own entry.
	dir, base := split(e.path)
	clean, err := naming.Unix.Clean(base)
	if err != nil || clean != base || base == "." || strings.HasPrefix(e.path, "./") || !in.enter(dir) {
		return false
	}
	if len(e.path) > naming.MaxName || len(in.dirs) > naming.MaxDepth {
		return false
	}
	if e.size < 0 || e.size > maxBytes-in.bytes || in.text+len(e.path)+len(e.target) > maxText {
		return false
	}
	in.text += len(e.path) + len(e.target)
	in.bytes += e.size
	switch e.kind {
	case aFile:
		return e.mode&^permissions == 0 && e.mode&0o600 == 0o600 && e.mtime >= 0 && e.mtime < 1<<31
	case aDir:
		in.dirs = append(in.dirs, e.path)
		return e.mode&^permissions == 0 && e.mode&0o700 == 0o700
	case aLink:
		return naming.Unix.StaysInside(e.path, e.target)
	}
	return true
}

// enter goes up to dir, if the last entry is somewhere in it: all that is in it stands together.
func (in *manifestReader) enter(dir string) bool {
	for n := len(in.dirs); n > 0 && in.dirs[n-1] != dir; n = len(in.dirs) {
		in.dirs = in.dirs[:n-1]
	}
	return len(in.dirs) > 0
}

// parseEntry reads a line as far as it can be read.
func parseEntry(line string) (e entry, ok bool) {
	kind, rest, _ := strings.Cut(line, " ")
	if len(kind) != 1 {
		return e, false
	}
	e.kind = kind[0]
	switch e.kind {
	case aFile, aDir:
		word, rest, _ := strings.Cut(rest, " ")
		mode, err := strconv.ParseUint(word, 8, 16)
		e.mode = uint16(mode)
		if err != nil {
			return e, false
		}
		if e.kind == aFile {
			if rest, ok = e.parseFile(rest); !ok {
				return e, false
			}
		}
		e.path, err = strconv.Unquote(rest)
		return e, err == nil
	case aLink, aHardLink:
		quoted, err := strconv.QuotedPrefix(rest)
		if err != nil {
			return e, false
		}
		var errPath, errTarget error
		e.path, errPath = strconv.Unquote(quoted)
		e.target, errTarget = strconv.Unquote(strings.TrimPrefix(rest[len(quoted):], " "))
		return e, errPath == nil && errTarget == nil
	}
	return e, false
}

// parseFile reads what a file has between its mode and its path, and returns the rest.
func (e *entry) parseFile(line string) (rest string, ok bool) {
	size, rest, _ := strings.Cut(line, " ")
	mtime, rest, _ := strings.Cut(rest, " ")
	sum, rest, _ := strings.Cut(rest, " ")
	var errSize, errTime error
	e.size, errSize = strconv.ParseInt(size, 10, 64)
	e.mtime, errTime = strconv.ParseInt(mtime, 10, 64)
	crc, err := strconv.ParseUint(sum, 16, 32)
	e.crc = uint32(crc)
	return rest, errSize == nil && errTime == nil && err == nil
}
