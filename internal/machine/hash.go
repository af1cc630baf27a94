package machine

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

// application makes identifiers ours alone: machine-id(5) wants the one of a machine to be told to nobody as it is.
const application = "5d1c0f6ae4a64b07a4f52cd2d7f8a3b1"

// derived is what systemd's sd_id128_get_machine_app_specific gives for an identifier of 32 hexadecimal digits: an HMAC of
// SHA-256 with the identifier as its key, as a UUID of version 4. It is empty for what is no identifier.
func derived(identifier string) string {
	key, err := hex.DecodeString(identifier)
	app, appErr := hex.DecodeString(application)
	if cmp.Or(err, appErr) != nil || len(key) != 16 || !slices.ContainsFunc(key, func(b byte) bool { return b != 0 }) {
		return ""
	}
	sum := hmac.New(sha256.New, key)
	sum.Write(app)
	id := sum.Sum(nil)[:16]
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return hex.EncodeToString(id)
}

// derivedUUID is the same for a UUID of a firmware. Its first three groups are told in either order of their bytes, by the
// version of firmware and kernel. What many machines share says nothing.
func derivedUUID(text string) string {
	digits := strings.ToLower(strings.ReplaceAll(strings.TrimSpace(text), "-", ""))
	raw, err := hex.DecodeString(digits)
	if err != nil || len(raw) != 16 {
		return ""
	}
	swapped := slices.Clone(raw)
	slices.Reverse(swapped[0:4])
	slices.Reverse(swapped[4:6])
	slices.Reverse(swapped[6:8])
	other := hex.EncodeToString(swapped)
	if anybodys(digits) || anybodys(other) {
		return ""
	}
	return derived(min(digits, other))
}

// anybodys tells whether a UUID is one that makers leave in their firmware.
func anybodys(digits string) bool {
	return strings.Trim(digits, digits[:1]) == "" || slices.Contains([]string{
		"03000200040005000006000700080009", "12345678123456781234567812345678", "1234567812345678909012345678abcd",
		"fefefefefefefefefefefefefefefefe", "00000000000000000000ac1f6bd048fe",
	}, digits)
}
