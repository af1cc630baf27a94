package stamp

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"slices"
	"testing"
)

func TestText(t *testing.T) {
	t.Parallel()
	for _, s := range []Stamp{{}, {At(1, -1)}, {At(1<<63, 1<<62), {}, At(1<<64-1, -1<<63), {}, {}, {Inode: 7, Since: 1764525600123456789, Till: 1764525600123456799}}} {
		text := s.Text()
		got, err := Parse(text)
		if err != nil || len(got) != len(s) || len(s) > 0 && !slices.Equal(got, s) {
			t.Errorf("%v is read as %v, %v", s, got, err)
		}
		for i := range text {
			damaged := append([]byte(nil), text...)
			damaged[i]++
			if got, err := Parse(damaged); !errors.Is(err, ErrFormat) {
				t.Fatalf("with byte %d of %v changed: %v, %v", i, s, got, err)
			}
			if got, err := Parse(text[:i]); !errors.Is(err, ErrFormat) {
				t.Fatalf("%v cut to %d bytes: %v, %v", s, i, got, err)
			}
		}
	}
}

// A text whose checksum is right, and which is none of ours.
func TestForeignText(t *testing.T) {
	t.Parallel()
	for name, marks := range map[string][]byte{
		"another kind": {2, 2, 2, 2}, "no numbers": {1}, "two numbers": {1, 2, 2}, "half a number": {1, 2, 2, 0x80},
		"a number that is too long": {1, 2, 2, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1},
	} {
		text := append([]byte(magic), marks...)
		text = binary.LittleEndian.AppendUint32(text, crc32.ChecksumIEEE(text))
		if got, err := Parse(text); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestFits(t *testing.T) {
	t.Parallel()
	s := Stamp{At(1, 2), {}, {Inode: 3, Since: 5, Till: 7}}
	for name, found := range map[string]Stamp{
		"nothing": nil, "one less": {At(1, 2), {}}, "another file": {At(2, 2), {}, At(3, 6)}, "one that was changed": {At(1, 3), {}, At(3, 6)},
		"one that was changed before": {At(1, 2), {}, At(3, 4)}, "one that was changed after": {At(1, 2), {}, At(3, 8)},
		"one more": {At(1, 2), {}, At(3, 6), {}}, "one of which less is known": {At(1, 2), {}, {Inode: 3, Since: 4, Till: 8}},
	} {
		if s.Fits(found) {
			t.Errorf("it is that of %s", name)
		}
	}
	for changed := int64(5); changed <= 7; changed++ {
		if !s.Fits(Stamp{At(1, 2), {}, At(3, changed)}) {
			t.Errorf("it is not that of its own files, changed at %d", changed)
		}
	}
	if (Stamp{}).Fits(Stamp{}) {
		t.Error("nothing is known by nothing")
	}
}
