package sealcheck

import (
	"bytes"
	"encoding/binary"
)

// memoryOf tells whether a file is what a program had in its memory: a core dump, or a place to swap to.
func memoryOf(text []byte) string {
	const (
		elfType, elfCore = 16, 4
	)
	if bytes.HasPrefix(text, []byte("\x7fELF")) && len(text) > elfType+2 {
		var order binary.ByteOrder = binary.LittleEndian
		if text[5] == 2 {
			order = binary.BigEndian
		}
		if order.Uint16(text[elfType:]) == elfCore {
			return "what a program had in its memory when it crashed"
		}
	}
	if page := swapPage(text); page > 0 && !unused(text[page:]) {
		return usedSwap
	}
	return ""
}

const usedSwap = "a swap file that was used: what programs had in their memory"

// swapPage is the size of the pages of a swap file, with whose first it begins; 0 for any other file.
func swapPage(text []byte) int {
	const label = "SWAPSPACE2"
	for _, page := range []int{4 << 10, 16 << 10, 64 << 10} { // of the processors that Linux runs on
		if len(text) >= page && string(text[page-len(label):page]) == label {
			return page
		}
	}
	return 0
}

// unused tells whether the pages of a swap file, as far as they are in sight, were never written to.
func unused(text []byte) bool {
	for _, c := range text {
		if c != 0 {
			return false
		}
	}
	return true
}

// isKey tells whether a file is a private key that is written down as DER: a sequence of a length, version 0, and an algorithm
// (RFC 5208) or a number (RFC 8017).
func isKey(text []byte) bool {
	if len(text) < 16 || text[0] != 0x30 {
		return false
	}
	head := 2
	if text[1] > 0x80 {
		head += int(text[1] & 0x7f)
	}
	rest := text[min(head, len(text)):]
	for _, begins := range [][]byte{
		{0x02, 0x01, 0x00, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01}, // RSA
		{0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01},             // elliptic curves
		{0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04},                               // Ed25519
		{0x02, 0x01, 0x00, 0x02, 0x82}, // PKCS #1
	} {
		if bytes.HasPrefix(rest, begins) {
			return true
		}
	}
	return false
}

// archiveOf tells what a file is packed by, where nothing here unpacks it; empty where it is not.
func archiveOf(text []byte) string {
	for _, one := range []struct{ kind, begins string }{
		{"zip", "PK\x03\x04"},
		{"zstd", "\x28\xb5\x2f\xfd"},
		{"xz", "\xfd7zXZ\x00"},
		{"7z", "7z\xbc\xaf\x27\x1c"},
		{"lz4", "\x04\x22\x4d\x18"},
		{"rar", "Rar!\x1a\x07"},
	} {
		if bytes.HasPrefix(text, []byte(one.begins)) {
			return one.kind
		}
	}
	const level, block = 3, 4 // of bzip2: a digit, and what each block begins with
	if bytes.HasPrefix(text, []byte("BZh")) && len(text) > block+6 && text[level] >= '1' && text[level] <= '9' &&
		string(text[block:block+6]) == "1AY&SY" {
		return "bzip2"
	}
	return ""
}
