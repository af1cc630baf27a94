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

	"github.com/runner-bootstrap/runner-bootstrap/internal/pattern"
)

// ErrAppKey means that a text is not the private key of a GitHub App: an RSA
// key in PEM form, PKCS#1 or PKCS#8, not encrypted.
var ErrAppKey = errors.New("not the private key of a GitHub App")

// ParseAppKey finds the RSA key in a text that somebody hands over: PEM whose line breaks may be lost or written as \n, or
// base64 of that. The errors say what is there instead, and show nothing of it.
func ParseAppKey(text string) (*rsa.PrivateKey, error) {
	var found *rsa.PrivateKey
	var first error
	for _, block := range keyBlocks(text) {
		switch key, err := parseBlock(block); {
		case err == nil && found != nil && !found.Equal(key):
			return nil, fmt.Errorf("%w: there are two keys, and only one can be meant", ErrAppKey)
		case err == nil:
			found = key
		case first == nil:
			first = err
		}
	}
	switch {
	case found != nil && found.N.BitLen() < leastBits:
		return nil, fmt.Errorf("%w: it is a key of %d bits, and GitHub's have 2048", ErrAppKey, found.N.BitLen())
	case found != nil:
		return found, nil
	case first != nil:
		return nil, first
	}
	return nil, fmt.Errorf("%w: it is %s", ErrAppKey, otherThanKey(text))
}

// leastBits is what crypto/rsa signs with at all.
const leastBits = 1024

var (
	path   = pattern.New(`^(~?/|\.{1,2}/|[A-Za-z]:\\|\\\\)\S*$`)
	digits = pattern.New(`^[0-9]+$`)
)

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
	case strings.HasPrefix(plain, "PuTTY-User-Key-File"):
		return "a key of PuTTY, and PEM is wanted"
	case strings.Contains(plain, `"kty"`):
		return "a key in JSON (JWK), and PEM is wanted"
	case strings.Contains(plain, "BEGIN ") && strings.Contains(plain, "PRIVATE KEY"):
		return "a PEM block without the five dashes (-----) on both sides of BEGIN and END"
	case strings.Contains(plain, "-----END "):
		return "the end of a PEM block, whose beginning is missing"
	case path.MatchString(plain):
		return "the path of a file, and what stands in it is wanted"
	case digits.MatchString(plain):
		return "a number, perhaps that of the App, which is for --app-id"
	}
	lower := strings.ToLower(plain)
	switch {
	case strings.HasPrefix(plain, "$ANSIBLE_VAULT;") || strings.HasPrefix(plain, "ENC["):
		return "encrypted, and has to be decrypted first"
	case strings.HasPrefix(lower, "<!doctype") || strings.HasPrefix(lower, "<html"):
		return "a page"
	case strings.HasPrefix(plain, "$") || strings.HasPrefix(plain, "<") || placeholderWord(lower):
		return "the name of a variable or a placeholder, and no key"
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
