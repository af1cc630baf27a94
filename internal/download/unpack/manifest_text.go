package unpack

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"strconv"
	"strings"
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
	maxLine     = 8*maxName + 100
)

// WriteTo writes the manifest as text, in few calls of w. It implements
// io.WriterTo.
func (m *Manifest) WriteTo(w io.Writer) (int64, error) {
	out := &counting{writer: w}
	buffered := bufio.NewWriterSize(out, 64<<10)
	castagnoli := crc32.MakeTable(crc32.Castagnoli)
	line := append(make([]byte, 0, 512), schema+"\n"...)
	crc := crc32.Update(0, castagnoli, line)
	// A bufio.Writer keeps its first error.
	_, _ = buffered.Write(line)
	for i := range m.entries {
		line = m.entries[i].append(line[:0])
		crc = crc32.Update(crc, castagnoli, line)
		_, _ = buffered.Write(line)
	}
	_, _ = fmt.Fprintf(buffered, "end %d %08x\n", len(m.entries), crc)
	if err := buffered.Flush(); err != nil {
		return out.total, fmt.Errorf("writing the manifest: %w", hostError(err))
	}
	return out.total, nil
}

type counting struct {
	writer io.Writer
	total  int64
}

func (c *counting) Write(p []byte) (int, error) {
	n, err := c.writer.Write(p)
	c.total += int64(n)
	return n, err
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
	// Texts are parts of what was read, and the entries have their room at once: memory that a process has to ask for, as an agent has
	// between two jobs, takes longer than what is read here.
	in := &manifestReader{dirs: []string{"."}, entries: make([]entry, 0, min(strings.Count(text, "\n"), maxEntries))}
	rest := text
	for number := 0; ; number++ {
		before := text[:len(text)-len(rest)]
		line, after, whole := strings.Cut(rest, "\n")
		switch {
		case !whole, len(line) >= maxLine:
			return nil, fmt.Errorf("%w: the manifest ends in line %d", ErrDamaged, number+1)
		case number == 0 && line != schema:
			return nil, fmt.Errorf("%w: no manifest of this kind", ErrDamaged)
		case number == 0:
		case strings.HasPrefix(line, "end "):
			if line != fmt.Sprintf("end %d %08x", len(in.entries), checksum(before)) {
				return nil, fmt.Errorf("%w: the manifest has been changed", ErrDamaged)
			}
			if after != "" {
				return nil, fmt.Errorf("%w: something stands behind the manifest", ErrDamaged)
			}
			return in.finish()
		case !in.line(line):
			return nil, fmt.Errorf("%w: line %d of the manifest is %.300q", ErrDamaged, number+1, line)
		}
		rest = after
	}
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

// manifestReader collects the entries of a manifest.
type manifestReader struct {
	entries []entry
	dirs    []string // that the last entry is in, itself among them if it is one
	again   []byte   // the line that was read last, as it is written
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

// line adds an entry, if it is written as WriteTo writes it and may stand where
// it does.
func (in *manifestReader) line(line string) bool {
	e, ok := parseEntry(line)
	if !ok {
		return false
	}
	if in.again = e.append(in.again[:0]); string(in.again[:len(in.again)-1]) != line {
		return false // there is one way to write each
	}
	if !in.fits(e) {
		return false
	}
	if e.kind == aDir {
		in.dirs = append(in.dirs, e.path)
	}
	in.entries = append(in.entries, e)
	in.text += len(e.path) + len(e.target)
	in.bytes += e.size
	return true
}

// fits tells whether a tree with the entries so far could have e as well.
func (in *manifestReader) fits(e entry) bool {
	if n := len(in.entries); n >= maxEntries || n > 0 && comparePaths(in.entries[n-1].path, e.path) >= 0 {
		return false
	}
	// What the directory is called was looked at with its own entry.
	dir, base := split(e.path)
	clean, err := Unix.clean(base)
	if err != nil || clean != base || base == "." || strings.HasPrefix(e.path, "./") || !in.enter(dir) {
		return false
	}
	if len(e.path) > maxName || len(in.dirs) > maxDepth {
		return false
	}
	if e.size < 0 || e.size > maxBytes-in.bytes || in.text+len(e.path)+len(e.target) > maxText {
		return false
	}
	switch e.kind {
	case aFile:
		return e.mode&^permissions == 0 && e.mode&0o600 == 0o600 && e.mtime >= 0 && e.mtime < 1<<31
	case aDir:
		return e.mode&^permissions == 0 && e.mode&0o700 == 0o700
	case aLink:
		return Unix.staysInside(e.path, e.target)
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
