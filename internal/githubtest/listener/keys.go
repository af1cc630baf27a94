package main

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"time"
)

// keyBits is half of what the real runner takes: nobody attacks a simulator, and a key of that size takes a tenth of a second.
const keyBits = 1024

// rsaParams is the file .credentials_rsaparams.
type rsaParams struct {
	D        []byte `json:"d"`
	DP       []byte `json:"dp"`
	DQ       []byte `json:"dq"`
	Exponent []byte `json:"exponent"`
	InverseQ []byte `json:"inverseQ"`
	Modulus  []byte `json:"modulus"`
	P        []byte `json:"p"`
	Q        []byte `json:"q"`
}

// key loads the runner's key, or makes and saves one. A key left by an earlier try is used again.
func (p folder) key() (*rsa.PrivateKey, error) {
	if p.exists(keyFile) {
		return p.loadKey()
	}
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	params := rsaParams{
		D: key.D.Bytes(), DP: key.Precomputed.Dp.Bytes(), DQ: key.Precomputed.Dq.Bytes(),
		Exponent: big.NewInt(int64(key.E)).Bytes(), InverseQ: key.Precomputed.Qinv.Bytes(), Modulus: key.N.Bytes(),
		P: key.Primes[0].Bytes(), Q: key.Primes[1].Bytes(),
	}
	return key, p.save(keyFile, params, 0o600)
}

func (p folder) loadKey() (*rsa.PrivateKey, error) {
	var params rsaParams
	if err := p.load(keyFile, &params); err != nil {
		return nil, err
	}
	n := func(b []byte) *big.Int { return new(big.Int).SetBytes(b) }
	key := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: n(params.Modulus), E: int(n(params.Exponent).Int64())},
		D:         n(params.D), Primes: []*big.Int{n(params.P), n(params.Q)},
	}
	if err := key.Validate(); err != nil {
		return nil, fmt.Errorf("loading %s: %w", keyFile, err)
	}
	key.Precompute()
	return key, nil
}

// publicXML is the public key in the form .NET sends it.
func publicXML(key *rsa.PrivateKey) string {
	enc := base64.StdEncoding.EncodeToString
	return "<RSAKeyValue><Modulus>" + enc(key.N.Bytes()) + "</Modulus><Exponent>" +
		enc(big.NewInt(int64(key.E)).Bytes()) + "</Exponent></RSAKeyValue>"
}

// assertion is the token a runner signs to ask for an access token.
func assertion(key *rsa.PrivateKey, clientID, audience string) (string, error) {
	now := time.Now()
	claims, err := json.Marshal(map[string]any{
		"sub": clientID, "iss": clientID, "aud": audience, "jti": rand.Text(),
		"nbf": now.Add(-time.Minute).Unix(), "exp": now.Add(5 * time.Minute).Unix(),
	})
	if err != nil {
		return "", fmt.Errorf("encoding the assertion: %w", err)
	}
	enc := base64.RawURLEncoding
	signed := enc.EncodeToString([]byte(`{"typ":"JWT","alg":"PS256"}`)) + "." + enc.EncodeToString(claims)
	digest := sha256.Sum256([]byte(signed))
	options := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
	signature, err := rsa.SignPSS(rand.Reader, key, crypto.SHA256, digest[:], options)
	if err != nil {
		return "", fmt.Errorf("signing the assertion: %w", err)
	}
	return signed + "." + enc.EncodeToString(signature), nil
}
