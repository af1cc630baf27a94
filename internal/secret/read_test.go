package secret_test

import (
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
		} {
			got, err := secret.ReadToken(text)
			if err != nil || got.Reveal() != token {
				t.Errorf("%.10s, %s: %q, %v", token, how, got.Reveal(), err)
			}
		}
	}
	for _, nothing := range []string{"", " \n", "\ufeff\n"} {
		if got, err := secret.ReadToken(nothing); err != nil || !got.Empty() {
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
		_, err := secret.ReadToken(text)
		if want == "" {
			continue
		}
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
