package github_test

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
)

// inUTF16 writes a text as PowerShell does.
func inUTF16(text string, big bool) string {
	units := utf16.Encode([]rune("\ufeff" + text))
	var b strings.Builder
	for _, u := range units {
		low, high := byte(u), byte(u>>8)
		if big {
			low, high = high, low
		}
		b.WriteByte(low)
		b.WriteByte(high)
	}
	return b.String()
}

const (
	classic = "ghp_" + "0123456789abcdefghijklmnopqrstuvwxyz"
	// claims has what GitHub's installation tokens have since May 2026.
	claims = "ghs_123456_eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiIxMjM0NTYiLCJleHAiOjE3OTYwMDAwMDB9.c2lnbmF0dXJl-_x"
)

// A token is what was meant, whatever has been put around it.
func TestReadToken(t *testing.T) {
	t.Parallel()
	for _, token := range []string{classic, claims, "0123456789abcdef0123456789abcdef01234567", "LLBF3JGZDX3P5PMEXLND6TS6FCWO6", "eyIucnVubmVyIjoiZXlKQg=="} {
		for how, text := range map[string]string{
			"alone":                  token,
			"with a line break":      token + "\n",
			"of Windows":             "\r\n " + token + " \r\n",
			"with a byte order mark": "\xef\xbb\xbf" + token + "\n",
			"after a blank":          " \ufeff" + token,
			"in quotes":              `"` + token + `"` + "\n",
			"in other quotes":        "'" + token + "'",
			"a variable":             "GITHUB_TOKEN=" + token + "\n",
			"a variable in quotes":   `GITHUB_TOKEN="` + token + `"`,
			"an exported variable":   "export GITHUB_TOKEN='" + token + "';",
			"of PowerShell":          `$env:GH_TOKEN = "` + token + `"`,
			"UTF-16":                 inUTF16(token+"\r\n", false),
			"UTF-16 the other way":   inUTF16(token+"\n", true),
			"with a no-break space":  "\u00a0" + token + "\u00a0",
		} {
			got, err := github.ReadToken(text)
			if err != nil || got.Reveal() != token {
				t.Errorf("%.10s, %s: %q, %v", token, how, got.Reveal(), err)
			}
		}
	}
	for _, nothing := range []string{"", " \n", "\ufeff\n"} {
		if got, err := github.ReadToken(nothing); err != nil || !got.Empty() {
			t.Errorf("%q: %v", nothing, err)
		}
	}
}

func TestReadTokenRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		classic + "\n" + classic:                 "more than one line",
		"A=1\nB=" + classic:                      "more than one line",
		"two words":                              "a blank inside",
		classic + "\u200b":                       "a character that no token has",
		classic + `\n`:                           `a line break that is written as \n`,
		`{"token":"` + classic + `"}`:            "JSON",
		"[" + classic + "]":                      "JSON",
		"<!DOCTYPE html><title>s</title>":        "a page",
		"Authorization: Bearer " + classic:       "a header",
		"token " + classic:                       "a header",
		"Bearer " + classic:                      "a header",
		"$GITHUB_TOKEN":                          "the name of a variable",
		"${{ secrets.TOKEN }}":                   "the name of a variable",
		"%GITHUB_TOKEN%":                         "the name of a variable",
		"<token>":                                "a placeholder",
		"null":                                   "the word \"null\"",
		"None":                                   "the word \"None\"",
		"***":                                    "the word \"***\"",
		"-----BEGIN RSA PRIVATE KEY-----\nMII\n": "--app-key-file",
		inUTF16("a b", false):                    "a blank inside",
		"GITHUB_TOKEN=":                          "", // nothing is assigned: no token, but no harm either
	} {
		_, err := github.ReadToken(text)
		if want == "" {
			continue
		}
		if !errors.Is(err, github.ErrToken) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v does not say %q", text, err, want)
		} else if strings.Contains(err.Error(), classic) {
			t.Errorf("%q is shown: %v", text, err)
		}
	}
}

func TestKind(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]github.IssuedKind{
		classic: github.AccessToken, claims: github.AccessToken, "github_pat_11A_x": github.AccessToken, "gho_x": github.AccessToken,
		"0123456789abcdef0123456789abcdef01234567": github.UnknownKind, "": github.UnknownKind, "t0k3n": github.UnknownKind,
		"LLBF3JGZDX3P5PMEXLND6TS6FCWO6": github.RegistrationToken, "eyIucnVubmVyIjoiZXlKQg==": github.JITConfiguration,
	} {
		if got := github.NewSecret(text).Kind(); got != want {
			t.Errorf("%q is %d, want %d", text, got, want)
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
			"under the other name":     string(pem.EncodeToMemory(&pem.Block{Type: otherType(block.Type), Bytes: block.Bytes})),
		} {
			_, err := github.NewApp(api(), scopeOf(t, "https://github.com/octo-org", ""), github.AppConfig{ID: "1", Key: github.NewSecret(text)})
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
	} {
		_, err := github.NewApp(api(), scopeOf(t, "https://github.com/octo-org", ""), github.AppConfig{ID: "1", Key: github.NewSecret(text)})
		if !errors.Is(err, github.ErrAppKey) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.30q: %v does not say %q", text, err, want)
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

func FuzzReadToken(f *testing.F) {
	for _, seed := range []string{classic, `export A="` + classic + `"`, inUTF16(classic, true), "$x", "\ufeff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		token, err := github.ReadToken(text)
		if err != nil {
			return
		}
		// What was read is read again as the same.
		if again, err := github.ReadToken(token.Reveal()); err != nil || github.CheckToken(token.Reveal()) != nil {
			t.Errorf("%q is %q, and that %q, %v", text, token.Reveal(), again.Reveal(), err)
		}
	})
}

func FuzzAppKey(f *testing.F) {
	f.Add("-----BEGIN RSA PRIVATE KEY-----\\nMII=\\n-----END RSA PRIVATE KEY-----")
	f.Add(base64.StdEncoding.EncodeToString([]byte("-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----")))
	f.Fuzz(func(t *testing.T, text string) {
		_, err := github.NewApp(api(), scopeOf(t, "https://github.com/octo-org", ""), github.AppConfig{ID: "1", Key: github.NewSecret(text)})
		if err != nil && !errors.Is(err, github.ErrAppKey) {
			t.Errorf("%q: %v", text, err)
		}
	})
}
