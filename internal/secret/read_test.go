package secret_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
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
			"in quotes and blanks":   `" ` + token + ` "`,
		} {
			got, err := secret.ReadToken(text)
			if err != nil || got.Reveal() != token {
				t.Errorf("%.10s, %s: %q, %v", token, how, got.Reveal(), err)
			}
		}
	}
	// Secrets of Kubernetes are base64, of one line or of several.
	for _, token := range []string{classic, claims, "github_pat_11A_x"} {
		for _, text := range []string{base64.StdEncoding.EncodeToString([]byte(token)), base64.RawStdEncoding.EncodeToString([]byte(token + "\n"))} {
			if got, err := secret.ReadToken(text + "\n"); err != nil || got.Reveal() != token {
				t.Errorf("%q: %q, %v", text, got.Reveal(), err)
			}
		}
	}
	jit := base64.StdEncoding.EncodeToString([]byte(`{".runner":"` + strings.Repeat("a", 200) + `"}`))
	if got, err := secret.ReadToken(inLines(jit)); err != nil || got.Reveal() != jit {
		t.Errorf("a just-in-time configuration in lines is %q, %v", got.Reveal(), err)
	}
	for _, nothing := range []string{"", " \n", "\ufeff\n", `""`, "''\n"} {
		if got, err := secret.ReadToken(nothing); err != nil || !got.Empty() {
			t.Errorf("%q: %v", nothing, err)
		}
	}
}

func TestReadTokenRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		classic + "\n" + classic:                  "more than one line",
		"A=1\nB=" + classic:                       "a file of variables",
		"# mine\nGH_TOKEN=" + classic + "\n":      "a file of variables",
		claims[:50] + "\n" + claims[50:]:          "more than one line",
		"https://me:" + classic + "@github.com":   "a URL",
		"me:" + classic:                           "a name and a token",
		"x-access-token:" + classic:               "a name and a token",
		"basic bWU6cHc=":                          "a header",
		"Proxy-Authorization: x":                  "a header",
		"`" + classic + "`":                       "has a \"`\", which no token has",
		classic + ";":                             "has a \";\", which no token has",
		classic + ",":                             "has a \",\", which no token has",
		`"` + classic:                             `has a "\"", which no token has`,
		"/etc/token":                              "the path of a file",
		"~/token":                                 "the path of a file",
		"op://vault/item/token":                   "a URL",
		"https://hooks.example.com/" + classic:    "a URL",
		"arn:aws:ssm:eu:1:parameter/x":            "the name of a secret",
		"vault:secret/data/x#token":               "the name of a secret",
		"ENC[AES256_GCM,data:xx]":                 "encrypted",
		"$ANSIBLE_VAULT;1.1;AES256\n6231":         "encrypted",
		"hvs.CAES" + classic:                      "a token of HashiCorp Vault",
		"glpat-" + "0123456789":                   "a token of GitLab",
		"npm_" + "0123456789":                     "a token of npm",
		"AKIA" + "0123456789ABCDEF":               "a token of AWS",
		"ghr_" + "0123456789":                     "a refresh token",
		"eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.c2": "a web token",
		"aabf3jgzdx3p5pmexlnd6ts6fcwo6":           "small letters",
		"A=A=X":                                   "given another one",
		"GH_TOKEN=GITHUB_TOKEN=" + classic:        "given another one",
		`A="B = ` + classic + `"`:                 "given another one",
		"YOUR_TOKEN":                              "stands for none",
		"changeme":                                "stands for none",
		"ghp_":                                    "stands for none",
		"ghp_...":                                 "stands for none",
		"ghp_xxxxxxxxxxxxxxxxxxxx":                "stands for none",
		"github_pat_XXXXXX":                       "stands for none",
		"two words":                               "a blank inside",
		classic + "\u200b":                        "a character that no token has",
		classic + `\n`:                            `a line break that is written as \n`,
		`{"token":"` + classic + `"}`:             "JSON",
		"[" + classic + "]":                       "JSON",
		"<!DOCTYPE html><title>s</title>":         "a page",
		"Authorization: Bearer " + classic:        "a header",
		"token " + classic:                        "a header",
		"Bearer " + classic:                       "a header",
		"$GITHUB_TOKEN":                           "the name of a variable",
		"${{ secrets.TOKEN }}":                    "the name of a variable",
		"%GITHUB_TOKEN%":                          "the name of a variable",
		"<token>":                                 "a placeholder",
		"null":                                    "the word \"null\"",
		"None":                                    "the word \"None\"",
		"***":                                     "the word \"***\"",
		"-----BEGIN RSA PRIVATE KEY-----\nMII\n":  "--app-key-file",
		inUTF16("a b", false):                     "a blank inside",
		"GITHUB_TOKEN=":                           "", // nothing is assigned: no token, but no harm either
	} {
		_, err := secret.ReadToken(text)
		if !errors.Is(err, secret.ErrToken) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v does not say %q", text, err, want)
		} else if strings.Contains(err.Error(), classic) {
			t.Errorf("%q is shown: %v", text, err)
		}
	}
}

func TestKind(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]secret.Kind{
		classic: secret.AccessToken, claims: secret.AccessToken, "github_pat_11A_x": secret.AccessToken, "gho_x": secret.AccessToken,
		"0123456789abcdef0123456789abcdef01234567": secret.UnknownKind, "": secret.UnknownKind, "t0k3n": secret.UnknownKind,
		"LLBF3JGZDX3P5PMEXLND6TS6FCWO6": secret.RegistrationToken, "eyIucnVubmVyIjoiZXlKQg==": secret.JITConfiguration,
	} {
		if got := secret.New(text).Kind(); got != want {
			t.Errorf("%q is %d, want %d", text, got, want)
		}
	}
}

func FuzzReadToken(f *testing.F) {
	for _, seed := range []string{classic, `export A="` + classic + `"`, inUTF16(classic, true), "$x", "\ufeff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		token, err := secret.ReadToken(text)
		if err != nil {
			return
		}
		// What was read is read again as the same.
		if again, err := secret.ReadToken(token.Reveal()); err != nil || secret.CheckToken(token.Reveal()) != nil {
			t.Errorf("%q is %q, and that %q, %v", text, token.Reveal(), again.Reveal(), err)
		}
	})
}
