package secret_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
)

var appKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// shortKey is one that was made for this test.
const shortKey = "MIIBUwIBADANBgkqhkiG9w0BAQEFAASCAT0wggE5AgEAAkEAt+a3z+jk4G3Qkxjmrtw2WrPheZsPOd5rlApcsns0uWpII6cvf81A" +
	"Y3iYagMrGf408dG5Vuiz1XDZUjTZOBeCywIDAQABAkAWkEdTSiby5mZl9fMv1zMQE+wBSKYomoKmilLvTzCb4xollewL1AQtepI87j2WFLHrb7i46c1yTjPZ" +
	"+9wDoukhAiEA4ovm0xPjsa118tsv1j3sf17aEbAz237hUFZ2aOvyEFECIQDPz3azyi3hDp7ImCNyxqp2X7CO5M2qlczAmK1HVujWWwIgRQyNGxK52KLdC1th" +
	"NjSDi8LWRoPlGmaOuBTSXGJl0jECIGZmjtGNYQozkB68iUs3hiwKfxAKwyW550lIcqpisx1dAiAoHaY+i4ntoCHwxOyYWVUrks0Pz86QGMUrMhIAPLGaIg=="

func theKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := appKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func inPEM(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func pkcs8(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return inPEM("PRIVATE KEY", der)
}

func TestAppKeys(t *testing.T) {
	t.Parallel()
	key := theKey(t)
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(curve)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	pkcs1 := x509.MarshalPKCS1PrivateKey(key)
	locked := pem.EncodeToMemory(&pem.Block{
		Type: "RSA PRIVATE KEY", Bytes: pkcs1, Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-256-CBC,00"},
	})
	good := inPEM("RSA PRIVATE KEY", pkcs1)
	for _, c := range []struct{ name, text, want string }{
		{"PKCS#1", good, ""},
		{"PKCS#8", pkcs8(t, key), ""},
		{"lines of Windows", strings.ReplaceAll(good, "\n", "\r\n"), ""},
		{"after a certificate", inPEM("CERTIFICATE", []byte("x")) + good, ""},
		{"EC in PKCS#8", pkcs8(t, curve), "an EC key"},
		{"EC of openssl", inPEM("EC PARAMETERS", []byte("x")) + inPEM("EC PRIVATE KEY", sec1), "an EC key"},
		{"Ed25519", pkcs8(t, edwards), "an Ed25519 key"},
		{"certificate", inPEM("CERTIFICATE", []byte("x")), "a certificate"},
		{"public key", inPEM("PUBLIC KEY", public), "a public key"},
		{"RSA public key", inPEM("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&key.PublicKey)), "a public key"},
		{"encrypted", string(locked), "an encrypted key"},
		{"encrypted PKCS#8", inPEM("ENCRYPTED PRIVATE KEY", []byte("x")), "an encrypted key"},
		{"OpenSSH", inPEM("OPENSSH PRIVATE KEY", []byte("x")), "an OpenSSH key"},
		{"damaged", inPEM("RSA PRIVATE KEY", pkcs1[:100]), "damaged"},
		{"damaged PKCS#8", inPEM("PRIVATE KEY", pkcs1[:100]), "damaged"},
		{"another block", inPEM("MESSAGE", []byte("x")), `the kind "MESSAGE"`},
		{"a token", "ghp_s3cr3t", "an access token"},
		{"nothing", "", "no PEM block"},
	} {
		_, err := secret.ParseAppKey(c.text)
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if !errors.Is(err, secret.ErrAppKey) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v does not say %q", c.name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: %v shows what was read", c.name, err)
		}
	}
}

// A key is what was meant, whatever has become of its lines.
func TestAppKeyForms(t *testing.T) {
	t.Parallel()
	key := theKey(t)
	for kind, good := range map[string]string{"PKCS#1": inPEM("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)), "PKCS#8": pkcs8(t, key)} {
		block, _ := pem.Decode([]byte(good))
		indented := "  " + strings.ReplaceAll(strings.TrimSpace(good), "\n", "\n  ")
		for how, text := range map[string]string{
			"as it is":                 good,
			"a literal line break":     strings.ReplaceAll(good, "\n", `\n`),
			"in quotes too":            `"` + strings.ReplaceAll(good, "\n", `\n`) + `"`,
			"of Windows, literally":    strings.ReplaceAll(good, "\n", `\r\n`),
			"on one line":              strings.ReplaceAll(good, "\n", " "),
			"without any break":        strings.ReplaceAll(good, "\n", ""),
			"indented":                 indented,
			"with tabs":                strings.ReplaceAll(indented, "  ", "\t"),
			"with empty lines between": strings.ReplaceAll(good, "\n", "\n\n"),
			"of Windows":               strings.ReplaceAll(good, "\n", "\r\n"),
			"of an old Mac":            strings.ReplaceAll(good, "\n", "\r"),
			"with a byte order mark":   "\ufeff" + good,
			"UTF-16":                   inUTF16(good, false),
			"base64":                   base64.StdEncoding.EncodeToString([]byte(good)),
			"base64 in lines":          inLines(base64.StdEncoding.EncodeToString([]byte(good))),
			"base64 without its end":   base64.RawStdEncoding.EncodeToString([]byte(good)),
			"base64 in quotes":         `'` + base64.StdEncoding.EncodeToString([]byte(good)) + `'`,
			"a variable":               "APP_KEY=\"" + strings.ReplaceAll(good, "\n", `\n`) + "\"\n",
			"a variable of base64":     "APP_KEY=" + base64.StdEncoding.EncodeToString([]byte(good)),
			"in JSON":                  `{"private_key": "` + strings.ReplaceAll(good, "\n", `\n`) + `"}`,
			"in YAML":                  "key: |\n" + indented,
			"its inside alone":         base64.StdEncoding.EncodeToString(block.Bytes),
			"UTF-16 without its mark":  inUTF16(good, false)[2:],
			"with no-break spaces":     strings.ReplaceAll(good, "\n", "\u00a0\n"),
			"escaped twice":            strings.ReplaceAll(good, "\n", `\\n`),
			"escaped as in a URL":      strings.ReplaceAll(good, "\n", "%0A"),
			"twice":                    good + good,
			"under the other name":     string(pem.EncodeToMemory(&pem.Block{Type: otherType(block.Type), Bytes: block.Bytes})),
		} {
			_, err := secret.ParseAppKey(text)
			if err != nil {
				t.Errorf("%s, %s: %v", kind, how, err)
			}
		}
	}
	for text, want := range map[string]string{
		string(x509.MarshalPKCS1PrivateKey(key)): "binary (DER)",
		classic:                                  "an access token",
		"SHA256:abc=":                            "fingerprint",
		"ssh-rsa AAAA me":                        "a public key of SSH",
		"-----BEGIN RSA PRIVATE KEY-----\nM":     "whose end is missing",
		"-----BEGIN RSA PRIVATE KEY-----\nM\n-----END EC PRIVATE KEY-----": "damaged",
		"hello": "no PEM block",
		"PuTTY-User-Key-File-3: ssh-rsa\nEncryption: none\n":                               "a key of PuTTY",
		`{"kty":"RSA","n":"abc","e":"AQAB"}`:                                               "a key in JSON (JWK)",
		strings.ReplaceAll(inPEM("RSA PRIVATE KEY", []byte("x")), "-----", "\u2013\u2013"): "without the five dashes",
		"MIIE\n-----END RSA PRIVATE KEY-----":                                              "the end of a PEM block",
		`C:\keys\app.pem`:                                                                  "the path of a file",
		"/etc/app.pem":                                                                     "the path of a file",
		"123456":                                                                           "for --app-id",
		"$ANSIBLE_VAULT;1.1;AES256\n6231":                                                  "encrypted",
		"<!DOCTYPE html>":                                                                  "a page",
		"${{ secrets.KEY }}":                                                               "a placeholder",
		"null":                                                                             "a placeholder",
	} {
		_, err := secret.ParseAppKey(text)
		if !errors.Is(err, secret.ErrAppKey) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.30q: %v does not say %q", text, err, want)
		}
	}
}

// A key that nobody can sign with, and one of two, are refused before anything is asked.
func TestAppKeyOfNoUse(t *testing.T) {
	t.Parallel()
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	two := inPEM("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(theKey(t))) + pkcs8(t, other)
	if _, err := secret.ParseAppKey(two); !errors.Is(err, secret.ErrAppKey) || !strings.Contains(err.Error(), "two keys") {
		t.Errorf("of two keys one is taken: %v", err)
	}
	// openssl genrsa 512
	const short = "-----BEGIN PRIVATE KEY-----\n" + shortKey + "\n-----END PRIVATE KEY-----\n"
	if _, err := secret.ParseAppKey(short); !errors.Is(err, secret.ErrAppKey) || !strings.Contains(err.Error(), "512 bits") {
		t.Errorf("a key of 512 bits: %v", err)
	}
}

func TestHide(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"echo " + classic: "echo TOKEN",
		"curl -H 'X-Vault-Token: hvs.CAESIabc' https://vault/v1/x": "curl -H 'X-Vault-Token: TOKEN' https://vault/v1/x",
		"git clone https://me:pw@github.com/o/r":                   "git clone https://USER:PASSWORD@github.com/o/r",
		claims:                                                     "TOKEN",
		"gh auth token":                                            "gh auth token",
		"high_speed,ghp,gl-large":                                  "high_speed,ghp,gl-large",
		"a@b c://d e@f":                                            "a@b c://d e@f",
	} {
		if got := secret.Hide(text); got != want {
			t.Errorf("%q is shown as %q, want %q", text, got, want)
		}
	}
}

func otherType(kind string) string {
	if kind == "PRIVATE KEY" {
		return "RSA PRIVATE KEY"
	}
	return "PRIVATE KEY"
}

// inLines breaks a text as base64(1) does.
func inLines(text string) string {
	var b strings.Builder
	for len(text) > 76 {
		b.WriteString(text[:76] + "\n")
		text = text[76:]
	}
	return b.String() + text + "\n"
}

func FuzzAppKey(f *testing.F) {
	f.Add("-----BEGIN RSA PRIVATE KEY-----\\nMII=\\n-----END RSA PRIVATE KEY-----")
	f.Add(base64.StdEncoding.EncodeToString([]byte("-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----")))
	f.Fuzz(func(t *testing.T, text string) {
		_, err := secret.ParseAppKey(text)
		if err != nil && !errors.Is(err, secret.ErrAppKey) {
			t.Errorf("%q: %v", text, err)
		}
	})
}
