package health

import (
	"crypto/hmac"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The digest was computed by another program.
const (
	knownSecret    = "It's a Secret to Everybody"
	knownBody      = `{"a":1}`
	knownTime      = 1700000000
	knownSignature = "sha256=51538ab6f6314bb1f45de59d49edd93447bd4ca11fd52ee2fc1bb150735de0c6"
)

// tolerance is how far the clocks of both ends may be apart, and how long a
// delivery that somebody has recorded can be replayed.
const tolerance = 5 * time.Minute

// Errors of verify.
var (
	// errSignature is returned for a delivery that was not signed with the secret,
	// or changed after that.
	errSignature = errors.New("the signature does not match")
	// errStale is returned for a delivery that was signed too long ago, or whose
	// sender's clock is ahead.
	errStale = errors.New("the timestamp is more than five minutes off")
)

// verify is what a receiver does: it tells whether a delivery was signed with secret and sent within five minutes of
// now. An empty secret matches nothing.
func verify(secret string, header http.Header, body []byte, now time.Time) error {
	stamps, signatures := header.Values(headerTimestamp), header.Values(headerSignature)
	if secret == "" || len(stamps) != 1 || len(signatures) != 1 {
		return errSignature
	}
	text, prefixed := strings.CutPrefix(signatures[0], signaturePrefix)
	given, err := hex.DecodeString(text)
	if !prefixed || err != nil || !hmac.Equal(given, digest(secret, stamps[0], body)) {
		return errSignature
	}
	sent, err := strconv.ParseInt(stamps[0], 10, 64)
	if err != nil {
		return errSignature
	}
	// Numbers, as durations between far ends of time do not fit into their type.
	within := int64(tolerance / time.Second)
	if sent < now.Unix()-within || sent > now.Unix()+within {
		return errStale
	}
	return nil
}

func signed(timestamp, signature string) http.Header {
	return http.Header{headerTimestamp: {timestamp}, headerSignature: {signature}}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	const stamp = "1700000000"
	resigned := func(timestamp string) http.Header {
		return signed(timestamp, sign(knownSecret, timestamp, []byte(knownBody)))
	}
	twice := signed(stamp, knownSignature)
	twice.Add(headerTimestamp, "1700000001")
	doubled := signed(stamp, knownSignature)
	doubled.Add(headerSignature, knownSignature)
	for name, c := range map[string]struct {
		secret string
		header http.Header
		body   string
		after  time.Duration
		want   error
	}{
		"as it was sent":          {knownSecret, signed(stamp, knownSignature), knownBody, 0, nil},
		"five minutes late":       {knownSecret, signed(stamp, knownSignature), knownBody, 5 * time.Minute, nil},
		"five minutes early":      {knownSecret, signed(stamp, knownSignature), knownBody, -5 * time.Minute, nil},
		"replayed":                {knownSecret, signed(stamp, knownSignature), knownBody, 5*time.Minute + time.Second, errStale},
		"from the future":         {knownSecret, signed(stamp, knownSignature), knownBody, -5*time.Minute - time.Second, errStale},
		"replayed as new":         {knownSecret, signed("1700000600", knownSignature), knownBody, 10 * time.Minute, errSignature},
		"another body":            {knownSecret, signed(stamp, knownSignature), `{"a":2}`, 0, errSignature},
		"a longer body":           {knownSecret, signed(stamp, knownSignature), knownBody + " ", 0, errSignature},
		"another secret":          {"another", signed(stamp, knownSignature), knownBody, 0, errSignature},
		"no secret":               {"", signed(stamp, sign("", stamp, []byte(knownBody))), knownBody, 0, errSignature},
		"no signature":            {knownSecret, http.Header{headerTimestamp: {stamp}}, knownBody, 0, errSignature},
		"an empty signature":      {knownSecret, signed(stamp, "sha256="), knownBody, 0, errSignature},
		"a part of the signature": {knownSecret, signed(stamp, knownSignature[:30]), knownBody, 0, errSignature},
		"no prefix":               {knownSecret, signed(stamp, strings.TrimPrefix(knownSignature, "sha256=")), knownBody, 0, errSignature},
		"another digest":          {knownSecret, signed(stamp, "sha1="+strings.TrimPrefix(knownSignature, "sha256=")), knownBody, 0, errSignature},
		"no timestamp":            {knownSecret, http.Header{headerSignature: {knownSignature}}, knownBody, 0, errSignature},
		"two timestamps":          {knownSecret, twice, knownBody, 0, errSignature},
		"two signatures":          {knownSecret, doubled, knownBody, 0, errSignature},
		"a timestamp in words":    {knownSecret, resigned("now"), knownBody, 0, errSignature},
		"the end of time":         {knownSecret, resigned("9223372036854775807"), knownBody, 0, errStale},
		"the beginning of time":   {knownSecret, resigned("-9223372036854775808"), knownBody, 0, errStale},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := verify(c.secret, c.header, []byte(c.body), time.Unix(knownTime, 0).Add(c.after))
			if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
				t.Errorf("verify: %v, want %v", err, c.want)
			}
		})
	}
}

func TestEveryBitOfASignatureCounts(t *testing.T) {
	t.Parallel()
	header := signed(strconv.Itoa(knownTime), knownSignature)
	for i := len("sha256="); i < len(knownSignature); i++ {
		digit := byte('0')
		if knownSignature[i] == '0' {
			digit = '1'
		}
		header.Set(headerSignature, knownSignature[:i]+string(digit)+knownSignature[i+1:])
		if err := verify(knownSecret, header, []byte(knownBody), time.Unix(knownTime, 0)); !errors.Is(err, errSignature) {
			t.Errorf("with another digit at %d: %v", i, err)
		}
	}
}
