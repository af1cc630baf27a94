package stamp

import (
	"errors"
	"testing"
)

func TestText(t *testing.T) {
	t.Parallel()
	for _, s := range []Stamp{{}, {{Inode: 1, Changed: -1}}, {{Inode: 1 << 63, Changed: 1 << 62}, {}, {Inode: 7, Changed: 1764525600123456789}}} {
		text := s.Text()
		got, err := Parse(text)
		if err != nil || len(got) != len(s) || len(s) > 0 && !got.Equal(s) {
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

func TestEqual(t *testing.T) {
	t.Parallel()
	s := Stamp{{Inode: 1, Changed: 2}, {}}
	for name, other := range map[string]Stamp{
		"nothing": nil, "another file": {{Inode: 2, Changed: 2}, {}}, "a changed one": {{Inode: 1, Changed: 3}, {}}, "one less": s[:1],
	} {
		if s.Equal(other) || other.Equal(s) {
			t.Errorf("it is equal to %s", name)
		}
	}
	if !s.Equal(Stamp{{Inode: 1, Changed: 2}, {}}) || (Stamp{}).Equal(Stamp{}) {
		t.Error("it is not equal to itself, or nothing is equal to nothing")
	}
}
