// Package stamp remembers which files were found to be right, so that they need not be read again: by the number of each,
// and by when it was last changed, content or not, which nobody can set (ctime).
package stamp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
)

// Mark is what one file is known by: its number, and between which two moments it was last changed, in nanoseconds by the clock
// of the kernel. It is zero for what is no file.
type Mark struct {
	Inode       uint64
	Since, Till int64
}

// At is the mark of a file as it was found.
func At(inode uint64, changed int64) Mark { return Mark{Inode: inode, Since: changed, Till: changed} }

// Fits tells whether a file that was found is the one that has this mark, and was not changed since.
func (m Mark) Fits(found Mark) bool {
	return m.Inode == found.Inode && m.Since <= found.Since && found.Till <= m.Till
}

// Stamp has a mark for each entry of a tree, in the order that the tree's manifest gives them.
type Stamp []Mark

// ErrFormat means that a text is no whole stamp.
var ErrFormat = errors.New("no whole stamp")

const (
	magic  = "runner-bootstrap stamp 2\n"
	summed = 4 // bytes of the checksum at the end
)

// What stands before a mark.
const (
	noFile = iota
	aFile
)

// Text writes the stamp down. The numbers of most files follow each other, and most were changed at a time: each mark has how far
// it is from the one before.
func (s Stamp) Text() []byte {
	text := append(make([]byte, 0, len(magic)+len(s)*8+summed), magic...)
	var last Mark
	for _, mark := range s {
		if mark == (Mark{}) {
			text = append(text, noFile)
			continue
		}
		text = binary.AppendVarint(append(text, aFile), int64(mark.Inode-last.Inode)) //nolint:gosec // read back as it is written
		text = binary.AppendVarint(binary.AppendVarint(text, mark.Since-last.Since), mark.Till-mark.Since)
		last = mark
	}
	return binary.LittleEndian.AppendUint32(text, crc32.ChecksumIEEE(text))
}

// Parse reads what Text wrote; [ErrFormat] for anything else, such as what a power cut has left.
func Parse(text []byte) (Stamp, error) {
	marks, found := bytes.CutPrefix(text, []byte(magic))
	end := len(marks) - summed
	if !found || end < 0 || binary.LittleEndian.Uint32(marks[end:]) != crc32.ChecksumIEEE(text[:len(text)-summed]) {
		return nil, fmt.Errorf("reading %d bytes: %w", len(text), ErrFormat)
	}
	s := make(Stamp, 0, end/4)
	var last Mark
	for marks = marks[:end]; len(marks) > 0; {
		kind := marks[0]
		marks = marks[1:]
		if kind == noFile {
			s = append(s, Mark{})
			continue
		}
		var numbers [3]int64
		for i := range numbers {
			number, n := binary.Varint(marks)
			if n <= 0 || kind != aFile {
				return nil, fmt.Errorf("reading mark %d: %w", len(s), ErrFormat)
			}
			numbers[i], marks = number, marks[n:]
		}
		last.Inode += uint64(numbers[0]) //nolint:gosec // as it was written
		last.Since += numbers[1]
		last.Till = last.Since + numbers[2]
		s = append(s, last)
	}
	return s, nil
}

// Fits tells whether the files that were found are those of the stamp, and none of them was changed since. An empty stamp is of
// none.
func (s Stamp) Fits(found Stamp) bool { return len(s) > 0 && slices.EqualFunc(s, found, Mark.Fits) }
