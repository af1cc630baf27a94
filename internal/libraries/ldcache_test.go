package libraries

import (
	"encoding/binary"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"testing"
)

// newCache writes a cache in the newer format.
func newCache(pairs ...[2]string) []byte {
	head := append([]byte(newMagic), make([]byte, newHeader-len(newMagic))...)
	binary.LittleEndian.PutUint32(head[len(newMagic):], uint32(len(pairs)))
	return append(head, entries(newHeader, newEntry, newHeader+newEntry*len(pairs), pairs)...)
}

// oldCache writes one in the older format, whose offsets count from the end of its table.
func oldCache(pairs ...[2]string) []byte {
	head := append([]byte(oldMagic), make([]byte, oldHeader-len(oldMagic))...)
	binary.LittleEndian.PutUint32(head[12:], uint32(len(pairs)))
	return append(head, entries(oldHeader, oldEntry, 0, pairs)...)
}

func entries(_, size, first int, pairs [][2]string) []byte {
	table, texts := []byte{}, []byte{}
	for _, pair := range pairs {
		entry := make([]byte, size)
		binary.LittleEndian.PutUint32(entry[4:], uint32(first+len(texts)))
		texts = append(append(texts, pair[0]...), 0)
		binary.LittleEndian.PutUint32(entry[8:], uint32(first+len(texts)))
		texts = append(append(texts, pair[1]...), 0)
		table = append(table, entry...)
	}
	return append(table, texts...)
}

// both is the older format with the newer one behind it, as distributions had it for years.
func both(pairs ...[2]string) []byte {
	old := oldCache([2]string{})[:oldHeader+oldEntry] // whose strings would be behind the newer one's
	for len(old)%8 != 0 {
		old = append(old, 0)
	}
	return append(old, newCache(pairs...)...)
}

func TestCachedLibraries(t *testing.T) {
	t.Parallel()
	pairs := [][2]string{{"libz.so.1", "/lib/a/libz.so.1"}, {"libicuuc.so.72", "/lib/b/libicuuc.so.72"}, {"libz.so.1", "/lib/c/libz.so.1"}}
	for name, cache := range map[string][]byte{"new": newCache(pairs...), "old": oldCache(pairs...), "both": both(pairs...)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found := cachedLibraries(cache)
			if got := found["libz.so.1"]; !slices.Equal(got, []string{"/lib/a/libz.so.1", "/lib/c/libz.so.1"}) {
				t.Errorf("libz.so.1 is at %q", got)
			}
			if got := found["libicuuc.so.72"]; !slices.Equal(got, []string{"/lib/b/libicuuc.so.72"}) {
				t.Errorf("libicuuc.so.72 is at %q", got)
			}
			for end := range cache {
				if cut := cachedLibraries(cache[:end]); len(cut) > len(found) {
					t.Errorf("the first %d bytes have %d names, more than the whole", end, len(cut))
				}
			}
		})
	}
	if found := cachedLibraries([]byte("#!/bin/sh\n")); len(found) != 0 {
		t.Errorf("what is no cache has %v", found)
	}
}

// TestCachedLibrariesOfThisHost: what ldconfig prints is what we read.
func TestCachedLibrariesOfThisHost(t *testing.T) {
	t.Parallel()
	cache, err := os.ReadFile("/etc/ld.so.cache")
	if err != nil || runtime.GOOS != "linux" {
		t.Skip("this host has no cache of the loader")
	}
	text, err := exec.CommandContext(t.Context(), "/sbin/ldconfig", "-p").Output()
	if err != nil {
		t.Skip("this host has no ldconfig")
	}
	lines := regexp.MustCompile(`(?m)^\t(\S+) \(.*\) => (\S+)$`).FindAllStringSubmatch(string(text), -1)
	if len(lines) == 0 {
		t.Fatalf("ldconfig prints nothing: %s", text)
	}
	found, ours := cachedLibraries(cache), 0
	for _, line := range lines {
		if !slices.Contains(found[line[1]], line[2]) {
			t.Errorf("ldconfig knows %s at %s, we at %q", line[1], line[2], found[line[1]])
		}
	}
	for _, paths := range found {
		ours += len(paths)
	}
	if ours != len(lines) {
		t.Errorf("we know %d libraries, ldconfig %d", ours, len(lines))
	}
}

func FuzzCachedLibraries(f *testing.F) {
	f.Add(newCache([2]string{"a", "/a"}))
	f.Add(oldCache([2]string{"a", "/a"}))
	f.Add(both([2]string{"a", "/a"}))
	f.Fuzz(func(t *testing.T, cache []byte) {
		for name, paths := range cachedLibraries(cache) {
			if name == "" || slices.Contains(paths, "") {
				t.Errorf("%q is at %q", name, paths)
			}
		}
	})
}
