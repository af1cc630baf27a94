package health

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
)

// The headers of a delivery. The signature is "sha256=" and the hexadecimal HMAC-SHA256, under the secret, of the
// timestamp header, a dot and the body. The other headers are not signed: a receiver takes type and ID from the body.
// A delivery can be replayed, and comes again when its answer is lost, so a receiver that must not act twice refuses
// timestamps that are some minutes off and remembers the IDs it has seen.
const (
	headerEvent     = "X-Runner-Bootstrap-Event"         // the event's type
	headerDelivery  = "X-Runner-Bootstrap-Delivery"      // the event's ID
	headerTimestamp = "X-Runner-Bootstrap-Timestamp"     // when this try was sent, Unix seconds
	headerSignature = "X-Runner-Bootstrap-Signature-256" // not there without a secret
)

const signaturePrefix = "sha256="

// sign is the value of the signature header.
func sign(secret, timestamp string, body []byte) string {
	return signaturePrefix + hex.EncodeToString(digest(secret, timestamp, body))
}

func digest(secret, timestamp string, body []byte) []byte {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(timestamp))
	mac.Write([]byte{'.'})
	mac.Write(body)
	return mac.Sum(nil)
}
