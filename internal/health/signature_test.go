package health

import (
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

func signed(timestamp, signature string) http.Header {
	return http.Header{HeaderTimestamp: {timestamp}, HeaderSignature: {signature}}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	const stamp = "1700000000"
	resigned := func(timestamp string) http.Header {
		return signed(timestamp, sign(knownSecret, timestamp, []byte(knownBody)))
	}
	twice := signed(stamp, knownSignature)
	twice.Add(HeaderTimestamp, "1700000001")
	doubled := signed(stamp, knownSignature)
	doubled.Add(HeaderSignature, knownSignature)
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
		"replayed":                {knownSecret, signed(stamp, knownSignature), knownBody, 5*time.Minute + time.Second, ErrStale},
		"from the future":         {knownSecret, signed(stamp, knownSignature), knownBody, -5*time.Minute - time.Second, ErrStale},
		"replayed as new":         {knownSecret, signed("1700000600", knownSignature), knownBody, 10 * time.Minute, ErrSignature},
		"another body":            {knownSecret, signed(stamp, knownSignature), `{"a":2}`, 0, ErrSignature},
		"a longer body":           {knownSecret, signed(stamp, knownSignature), knownBody + " ", 0, ErrSignature},
		"another secret":          {"another", signed(stamp, knownSignature), knownBody, 0, ErrSignature},
		"no secret":               {"", signed(stamp, sign("", stamp, []byte(knownBody))), knownBody, 0, ErrSignature},
		"no signature":            {knownSecret, http.Header{HeaderTimestamp: {stamp}}, knownBody, 0, ErrSignature},
		"an empty signature":      {knownSecret, signed(stamp, "sha256="), knownBody, 0, ErrSignature},
		"a part of the signature": {knownSecret, signed(stamp, knownSignature[:30]), knownBody, 0, ErrSignature},
		"no prefix":               {knownSecret, signed(stamp, strings.TrimPrefix(knownSignature, "sha256=")), knownBody, 0, ErrSignature},
		"another digest":          {knownSecret, signed(stamp, "sha1="+strings.TrimPrefix(knownSignature, "sha256=")), knownBody, 0, ErrSignature},
		"no timestamp":            {knownSecret, http.Header{HeaderSignature: {knownSignature}}, knownBody, 0, ErrSignature},
		"two timestamps":          {knownSecret, twice, knownBody, 0, ErrSignature},
		"two signatures":          {knownSecret, doubled, knownBody, 0, ErrSignature},
		"a timestamp in words":    {knownSecret, resigned("now"), knownBody, 0, ErrSignature},
		"the end of time":         {knownSecret, resigned("9223372036854775807"), knownBody, 0, ErrStale},
		"the beginning of time":   {knownSecret, resigned("-9223372036854775808"), knownBody, 0, ErrStale},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := Verify(c.secret, c.header, []byte(c.body), time.Unix(knownTime, 0).Add(c.after))
			if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
				t.Errorf("Verify: %v, want %v", err, c.want)
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
		header.Set(HeaderSignature, knownSignature[:i]+string(digit)+knownSignature[i+1:])
		if err := Verify(knownSecret, header, []byte(knownBody), time.Unix(knownTime, 0)); !errors.Is(err, ErrSignature) {
			t.Errorf("with another digit at %d: %v", i, err)
		}
	}
}
