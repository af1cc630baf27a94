package github

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
)

const (
	// GitHub takes a web token for ten minutes at most, and none from the future:
	// it is dated back for a clock that is a little fast.
	tokenBackdated = time.Minute
	tokenLife      = 9 * time.Minute
)

// signWebToken makes what an App proves itself with, from a time by GitHub's
// clock: a JSON web token signed by RS256.
func signWebToken(issuer string, key *rsa.PrivateKey, now time.Time) (secret.Secret, error) {
	claims, err := json.Marshal(struct {
		Issued  int64  `json:"iat"`
		Expires int64  `json:"exp"`
		Issuer  string `json:"iss"`
	}{now.Add(-tokenBackdated).Unix(), now.Add(tokenLife).Unix(), issuer})
	if err != nil {
		return secret.Secret{}, fmt.Errorf("writing a web token: %w", err)
	}
	text := base64.RawURLEncoding
	signed := text.EncodeToString([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + text.EncodeToString(claims)
	digest := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
	if err != nil {
		return secret.Secret{}, fmt.Errorf("signing a web token: %w", err)
	}
	return secret.New(signed + "." + text.EncodeToString(signature)), nil
}
