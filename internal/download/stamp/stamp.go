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
	each   = 24 // bytes of a mark
	summed = 4  // bytes of the checksum at the end
)

// Text writes the stamp down.
func (s Stamp) Text() []byte {
	text := make([]byte, 0, len(magic)+len(s)*each+summed)
	text = append(text, magic...)
	for _, mark := range s {
		text = binary.LittleEndian.AppendUint64(text, mark.Inode)
		for _, moment := range []int64{mark.Since, mark.Till} {
			text = binary.LittleEndian.AppendUint64(text, uint64(moment)) //nolint:gosec // read back as it is written
		}
	}
	return binary.LittleEndian.AppendUint32(text, crc32.ChecksumIEEE(text))
}

// Parse reads what Text wrote; [ErrFormat] for anything else, such as what a power cut has left.
func Parse(text []byte) (Stamp, error) {
	marks, found := bytes.CutPrefix(text, []byte(magic))
	if !found || len(marks) < summed || (len(marks)-summed)%each != 0 {
		return nil, fmt.Errorf("reading %d bytes: %w", len(text), ErrFormat)
	}
	end := len(marks) - summed
	if binary.LittleEndian.Uint32(marks[end:]) != crc32.ChecksumIEEE(text[:len(text)-summed]) {
		return nil, fmt.Errorf("reading %d bytes: %w", len(text), ErrFormat)
	}
	s := make(Stamp, 0, end/each)
	for mark := range slices.Chunk(marks[:end], each) {
		moment := func(at int) int64 { return int64(binary.LittleEndian.Uint64(mark[at:])) } //nolint:gosec // as it was written
		s = append(s, Mark{Inode: binary.LittleEndian.Uint64(mark), Since: moment(8), Till: moment(16)})
	}
	return s, nil
}

// Fits tells whether the files that were found are those of the stamp, and none of them was changed since. An empty stamp is of
// none.
func (s Stamp) Fits(found Stamp) bool { return len(s) > 0 && slices.EqualFunc(s, found, Mark.Fits) }
