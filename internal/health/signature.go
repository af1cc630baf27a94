package health

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The headers of a delivery.
const (
	HeaderEvent     = "X-Runner-Bootstrap-Event"         // the event's type
	HeaderDelivery  = "X-Runner-Bootstrap-Delivery"      // the event's ID
	HeaderTimestamp = "X-Runner-Bootstrap-Timestamp"     // when this try was sent, Unix seconds
	HeaderSignature = "X-Runner-Bootstrap-Signature-256" // see [Verify]; not there without a secret
)

const (
	signaturePrefix = "sha256="
	// tolerance is how far the clocks of both ends may be apart, and how long a
	// delivery that somebody has recorded can be replayed.
	tolerance = 5 * time.Minute
)

// Errors of [Verify].
var (
	// ErrSignature is returned for a delivery that was not signed with the secret,
	// or changed after that.
	ErrSignature = errors.New("the signature does not match")
	// ErrStale is returned for a delivery that was signed too long ago, or whose
	// sender's clock is ahead.
	ErrStale = errors.New("the timestamp is more than five minutes off")
)

// Verify is for receivers: it tells whether a delivery was signed with secret
// and sent within five minutes of now. The signature is "sha256=" and the
// hexadecimal HMAC-SHA256, under the secret, of the timestamp header, a dot and
// the body. It is compared in constant time. The other headers are not signed:
// type and ID are to be taken from the body. Within the five minutes a replay
// passes, so a receiver that must not act twice remembers the IDs it has seen;
// that is needed anyway, as a delivery whose answer is lost comes again.
// Errors are [ErrSignature] and [ErrStale]; an empty secret matches nothing.
func Verify(secret string, header http.Header, body []byte, now time.Time) error {
	stamps, signatures := header.Values(HeaderTimestamp), header.Values(HeaderSignature)
	if secret == "" || len(stamps) != 1 || len(signatures) != 1 {
		return ErrSignature
	}
	text, prefixed := strings.CutPrefix(signatures[0], signaturePrefix)
	given, err := hex.DecodeString(text)
	if !prefixed || err != nil || !hmac.Equal(given, digest(secret, stamps[0], body)) {
		return ErrSignature
	}
	sent, err := strconv.ParseInt(stamps[0], 10, 64)
	if err != nil {
		return ErrSignature
	}
	// Numbers, as durations between far ends of time do not fit into their type.
	within := int64(tolerance / time.Second)
	if sent < now.Unix()-within || sent > now.Unix()+within {
		return ErrStale
	}
	return nil
}

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
