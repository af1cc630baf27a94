package libraries

import (
	"bytes"
	"encoding/binary"
)

// The file /etc/ld.so.cache, in which the dynamic loader looks libraries up. It has a header, a table of entries, and
// strings; each entry is the offsets of a name and of a path. The older of the two formats may stand before the newer
// one, and is of no interest then.
const (
	newMagic  = "glibc-ld.so.cache1.1"
	newHeader = 48
	newEntry  = 24
	oldMagic  = "ld.so-1.7.0"
	oldHeader = 16
	oldEntry  = 12
)

// cachedLibraries reads a loader's cache: the paths of each name, in their order. What is damaged is left out; of
// what is no cache nothing is left.
func cachedLibraries(cache []byte) map[string][]string {
	found := map[string][]string{}
	if bytes.HasPrefix(cache, []byte(newMagic)) {
		readEntries(cache, newHeader, newEntry, len(newMagic), 0, found)
		return found
	}
	if !bytes.HasPrefix(cache, []byte(oldMagic)) || len(cache) < oldHeader {
		return found
	}
	end := oldHeader + oldEntry*int64(binary.LittleEndian.Uint32(cache[12:]))
	if aligned := (end + 7) &^ 7; aligned < int64(len(cache)) && bytes.HasPrefix(cache[aligned:], []byte(newMagic)) {
		readEntries(cache[aligned:], newHeader, newEntry, len(newMagic), 0, found)
		return found
	}
	readEntries(cache, oldHeader, oldEntry, 12, end, found)
	return found
}

// readEntries reads a table of entries of size bytes that begins after header bytes; their number stands at count, and
// offsets count from base.
func readEntries(cache []byte, header, size, count int, base int64, into map[string][]string) {
	if len(cache) < header {
		return
	}
	entries := min(int64(binary.LittleEndian.Uint32(cache[count:])), int64(len(cache)-header)/int64(size))
	for i := range int(entries) {
		entry := cache[header+i*size:]
		name := textAt(cache, base, binary.LittleEndian.Uint32(entry[4:]))
		path := textAt(cache, base, binary.LittleEndian.Uint32(entry[8:]))
		if name != "" && path != "" {
			into[name] = append(into[name], path)
		}
	}
}

// textAt is the text that ends with a zero byte; empty if there is none.
func textAt(cache []byte, base int64, offset uint32) string {
	at := base + int64(offset)
	if at >= int64(len(cache)) {
		return ""
	}
	text, _, whole := bytes.Cut(cache[at:], []byte{0})
	if !whole {
		return ""
	}
	return string(text)
}
