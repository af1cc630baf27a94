package secret

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// ErrAppKey means that a text is not the private key of a GitHub App: an RSA
// key in PEM form, PKCS#1 or PKCS#8, not encrypted.
var ErrAppKey = errors.New("not the private key of a GitHub App")

// ParseAppKey finds the RSA key in a text that somebody hands over: PEM whose line breaks may be lost or written as \n, or
// base64 of that. The errors say what is there instead, and show nothing of it.
func ParseAppKey(text string) (*rsa.PrivateKey, error) {
	var first error
	for _, block := range keyBlocks(text) {
		key, err := parseBlock(block)
		if err == nil {
			return key, nil
		}
		if first == nil {
			first = err
		}
	}
	if first == nil {
		first = fmt.Errorf("%w: it is %s", ErrAppKey, otherThanKey(text))
	}
	return nil, first
}

// otherThanKey says what a text is that has no key in it.
func otherThanKey(text string) string {
	plain := plainText(text)
	switch {
	case isDER(text):
		return "a key in binary (DER), and PEM is wanted"
	case New(unwrapped(plain)).Kind() == AccessToken:
		return "an access token, which is for --token-file"
	case strings.Contains(plain, "-----BEGIN "):
		return "the beginning of a PEM block, whose end is missing"
	case strings.HasPrefix(plain, "SHA256:"):
		return "the fingerprint of a key"
	case strings.HasPrefix(plain, "ssh-"):
		return "a public key of SSH"
	}
	return "no PEM block, which begins with -----BEGIN RSA PRIVATE KEY-----"
}

func parseBlock(block *pem.Block) (*rsa.PrivateKey, error) {
	is := func(what string) error { return fmt.Errorf("%w: it is %s", ErrAppKey, what) }
	switch {
	case strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"), block.Type == "ENCRYPTED PRIVATE KEY":
		return nil, is("an encrypted key, and there is nobody to ask for its password")
	case block.Type == "RSA PRIVATE KEY":
		key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
		if err == nil {
			return key, nil
		}
		if key, err = parsePKCS8(block.Bytes, is); err == nil {
			return key, nil // its first line has the name of the other form
		}
		return nil, is("an RSA key that is damaged")
	case block.Type == "PRIVATE KEY":
		return parsePKCS8(block.Bytes, is)
	case strings.HasPrefix(block.Type, "EC "):
		return nil, is("an EC key, and GitHub takes RSA alone")
	case block.Type == "OPENSSH PRIVATE KEY":
		return nil, is("an OpenSSH key")
	case strings.HasSuffix(block.Type, "CERTIFICATE"):
		return nil, is("a certificate")
	case strings.HasSuffix(block.Type, "PUBLIC KEY"):
		return nil, is("a public key")
	}
	return nil, is(fmt.Sprintf("a PEM block of the kind %.100q", block.Type))
}

func parsePKCS8(der []byte, is func(string) error) (*rsa.PrivateKey, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
			return key, nil // likewise
		}
		return nil, is("a PKCS#8 key that is damaged or of an unknown kind")
	}
	switch key := parsed.(type) {
	case *rsa.PrivateKey:
		return key, nil
	case *ecdsa.PrivateKey:
		return nil, is("an EC key, and GitHub takes RSA alone")
	case ed25519.PrivateKey:
		return nil, is("an Ed25519 key, and GitHub takes RSA alone")
	}
	return nil, is("a key of another kind, and GitHub takes RSA alone")
}
