package secret

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/runner-bootstrap/runner-bootstrap/internal/pattern"
)

// What people hand over as a secret comes from editors, shells, spreadsheets, vaults and other programs, each of which adds
// something of its own. What can mean one thing alone is understood; everything else is called by what it is.

// plainText takes away what editors and shells add to a text: the mark of its encoding, the encoding that PowerShell writes,
// and white space around it.
func plainText(text string) string {
	switch {
	case strings.HasPrefix(text, "\xff\xfe"):
		text = fromUTF16(text[2:], 0)
	case strings.HasPrefix(text, "\xfe\xff"):
		text = fromUTF16(text[2:], 1)
	case len(text) > 3 && text[0] != 0 && text[1] == 0 && text[2] != 0 && text[3] == 0: // the same without the mark
		text = fromUTF16(text, 0)
	case len(text) > 3 && text[0] == 0 && text[1] != 0 && text[2] == 0 && text[3] != 0:
		text = fromUTF16(text, 1)
	}
	return strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(text), "\ufeff"))
}

// fromUTF16 decodes pairs of bytes; low is the place of the less significant one.
func fromUTF16(text string, low int) string {
	units := make([]uint16, 0, len(text)/2)
	for i := 0; i+1 < len(text); i += 2 {
		units = append(units, uint16(text[i+low])|uint16(text[i+1-low])<<8)
	}
	return string(utf16.Decode(units))
}

// assignment is NAME=value, as files of variables have it. What base64 ends with is none.
var assignment = pattern.New(`^(?:export\s+|set\s+|\$env:)?[A-Za-z_][A-Za-z0-9_.-]*\s*=\s*([^=\s].*)$`)

// unwrapped takes quotes, and a name that the value is given, away from around a text of one line.
func unwrapped(text string) string {
	if strings.ContainsAny(text, "\r\n") {
		return text
	}
	if parts := assignment.FindStringSubmatch(text); parts != nil {
		text = strings.TrimSuffix(strings.TrimSpace(parts[1]), ";")
	}
	for _, quote := range []string{`"`, "'"} {
		if inner, found := strings.CutPrefix(text, quote); found && strings.HasSuffix(inner, quote) {
			return strings.TrimSpace(strings.TrimSuffix(inner, quote))
		}
	}
	return text
}

// ReadToken reads a token that somebody hands over: the token alone, in quotes, as NAME=value, or base64 of it, with or without
// the mark of an encoding. An empty text is none at all. Everything else is an [ErrToken] that says what was found, and shows
// nothing of it: what is not GitHub's must not be sent to GitHub.
func ReadToken(text string) (Secret, error) {
	text = unfolded(unwrapped(plainText(text)))
	if inner, err := base64.StdEncoding.DecodeString(padded(text)); err == nil && accessShape.Match(inner) {
		text = strings.TrimSpace(string(inner)) // as secrets of Kubernetes are kept
	}
	if what := otherThanToken(text); what != "" {
		return Secret{}, fmt.Errorf("%w: it is %s", ErrToken, what)
	}
	if err := CheckToken(text); err != nil {
		return Secret{}, err
	}
	if at := strings.IndexFunc(text, func(r rune) bool { return !inToken(r) }); at >= 0 {
		return Secret{}, fmt.Errorf("%w: it has a %q, which no token has", ErrToken, text[at:at+1])
	}
	return New(text), nil
}

// unfolded is a just-in-time configuration on one line: it is base64, which programs break into lines.
func unfolded(text string) string {
	lines := strings.Fields(text)
	if len(lines) < 2 || !jitShape.MatchString(lines[0]) {
		return text
	}
	joined := strings.Join(lines, "")
	if _, err := base64.StdEncoding.DecodeString(padded(joined)); err != nil {
		return text
	}
	return joined
}

// inToken tells whether a character may stand in a header as a token (RFC 9110, 11.2).
func inToken(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-._~+/=", r)
}

// otherThanToken says what a text is that people hand over in a token's place; empty for what may be a token.
func otherThanToken(text string) string {
	lower := strings.ToLower(text)
	switch {
	case strings.Contains(text, "-----BEGIN "):
		return "a key, a certificate or something encrypted; the key of a GitHub App is for --app-key-file, with --app-id"
	case strings.HasPrefix(text, "{") || strings.HasPrefix(text, "["):
		return "JSON, of which the token alone is wanted (jq -r .token)"
	case strings.HasPrefix(lower, "<!doctype") || strings.HasPrefix(lower, "<html"):
		return "a page"
	case header.MatchString(text):
		return "a header, of which the token alone is wanted"
	case strings.HasPrefix(text, "$ANSIBLE_VAULT;") || strings.HasPrefix(text, "ENC["):
		return "encrypted, and has to be decrypted first"
	case strings.HasPrefix(text, "$") || strings.HasPrefix(text, "<") || strings.HasPrefix(text, "%") && strings.HasSuffix(text, "%"):
		return "the name of a variable or a placeholder, and no value"
	case assignment.MatchString(text): // one was taken away already
		return "a variable that is given another one, of which the token alone is wanted"
	case placeholderWord(lower):
		return fmt.Sprintf("the word %.100q, which stands for none", text)
	case strings.HasSuffix(text, `\n`) || strings.HasSuffix(text, `\r`):
		return `followed by a line break that is written as \n`
	case strings.Contains(text, "\n") && anyVariable.MatchString(text):
		return "a file of variables, of which the value of one alone is wanted"
	}
	return otherSecret(text)
}

var (
	header      = pattern.New(`(?i)^(bearer|token|basic) |^(proxy-)?authorization:`)
	anyVariable = pattern.New(`(?m)^(?:export\s+)?[A-Za-z_][A-Za-z0-9_]*=`)
	// noValue is a variable that is set to nothing. What base64 ends with is none.
	noValue = pattern.New(`^[A-Za-z]+_[A-Za-z0-9_]*=$|^[A-Z]{2,}=$`)
	// standsFor is what manuals write behind the beginning of a token.
	standsFor = pattern.New(`^(gh[pousr]_|github_pat_|ghs_[0-9]+_)([x.*]{3,})?$`)
	// smallRegistration is a registration token that somebody has made small letters of.
	smallRegistration = pattern.New(`^a[a-z0-9]{28}$`)
)

// placeholderWord tells whether a text stands for a token in manuals, or for none in programs.
func placeholderWord(lower string) bool {
	switch {
	case lower == "":
		return false
	case strings.Trim(lower, "*x.") == "", standsFor.MatchString(lower):
		return true
	}
	plain := strings.NewReplacer("_", "", "-", "", " ", "").Replace(lower)
	return slices.Contains([]string{
		"null", "none", "nil", "undefined", "changeme", "replaceme", "token", "mytoken", "yourtoken", "yourgithubtoken", "yourpat",
		"githubtoken", "ghtoken", "todo", "secret", "redacted", "placeholder", "pat",
	}, plain)
}

// otherSecret says what a text is that is a secret, or leads to one, and no token of GitHub's.
func otherSecret(text string) string {
	switch {
	case strings.Contains(text, "://"):
		return "a URL, and the token alone is wanted"
	case strings.HasPrefix(text, "/"), strings.HasPrefix(text, "~/"), strings.HasPrefix(text, "./"), strings.HasPrefix(text, "../"):
		return "the path of a file, and what stands in it is wanted"
	case strings.HasPrefix(text, "arn:"), strings.HasPrefix(text, "vault:"):
		return "the name of a secret, and its value is wanted"
	case noValue.MatchString(text):
		return "a variable that is set to nothing"
	case strings.HasPrefix(text, "ghr_"):
		return "a refresh token, which gets an access token and is none"
	case smallRegistration.MatchString(text):
		return "perhaps a registration token in small letters; GitHub's are of capitals"
	case strings.HasPrefix(text, "eyJ") && strings.Count(text, ".") == 2:
		return "a web token (JWT), by which an App asks for an access token; give --app-id and --app-key-file"
	}
	if name, token, both := strings.Cut(text, ":"); both && !strings.Contains(name, " ") && accessShape.MatchString(token) {
		return "a name and a token, of which the token alone is wanted"
	}
	for prefix, whose := range otherIssuers() {
		if strings.HasPrefix(text, prefix) && !registrationShape.MatchString(text) {
			return "a token of " + whose + ", which is not sent to GitHub"
		}
	}
	return ""
}

// otherIssuers are those whose tokens lie beside GitHub's.
func otherIssuers() map[string]string {
	return map[string]string{
		"hvs.": "HashiCorp Vault", "hvb.": "HashiCorp Vault", "glpat-": "GitLab", "gldt-": "GitLab", "glrt-": "GitLab",
		"npm_": "npm", "pypi-": "PyPI", "dckr_pat_": "Docker", "dop_v1_": "DigitalOcean", "AKIA": "AWS", "ASIA": "AWS",
		"xoxb-": "Slack", "xoxp-": "Slack", "AIza": "Google", "ya29.": "Google", "sk-": "another service", "ATATT": "Atlassian",
	}
}

// Kind says what a text is by its shape.
type Kind int

const (
	// UnknownKind has no shape that is GitHub's alone.
	UnknownKind Kind = iota
	// AccessToken asks the REST API: of a person, or an App.
	AccessToken
	// RegistrationToken is given to config.sh, to join or to leave; it lives for an hour.
	RegistrationToken
	// JITConfiguration is one registration.
	JITConfiguration
)

var (
	// accessShape is that of all tokens since 2021 (GitHub's "Behind GitHub's new authentication token formats"), and since May
	// 2026 that of the installation tokens which carry their claims: ghs_APPID_JWT.
	accessShape = pattern.New(`^(gh[pousr]_|github_pat_)`)
	// registrationShape is what GitHub's own examples have: 29 capital letters and digits. No access token is without a prefix
	// but the old ones, which are 40 small hexadecimal digits.
	registrationShape = pattern.New(`^[A-Z0-9]{29}$`)
	jitShape          = pattern.New(`^eyIu(cnVubmVy|Y3JlZGVudGlhbHN)`)
)

// Kind says what a secret is by its shape.
func (s Secret) Kind() Kind {
	text := s.Reveal()
	switch {
	case accessShape.MatchString(text):
		return AccessToken
	case jitShape.MatchString(text):
		return JITConfiguration
	case registrationShape.MatchString(text):
		return RegistrationToken
	}
	return UnknownKind
}

// classicShape is that of access tokens before 2021, which is that of many other things as well.
var classicShape = pattern.New(`^[0-9a-f]{40}$`)

// OfGitHub tells whether a secret has a form that GitHub gives to what it issues. Many others of their kind do not.
func (s Secret) OfGitHub() bool {
	return s.Kind() != UnknownKind || classicShape.MatchString(s.Reveal())
}

// pemBlock is one block in a text in which line breaks may be lost, doubled, indented, or written as \n.
var pemBlock = pattern.New(`-----BEGIN ([A-Z0-9 ]+)-----((?s).*?)-----END ([A-Z0-9 ]+)-----`)

// notBase64 is everything that stands between the parts of a block's base64.
var notBase64 = pattern.New(`\\+[rnt]|%0[AaDd]|[\s"',;\x{a0}\x{200b}\x{feff}]+`)

// keyBlocks finds the blocks of PEM in a text that somebody hands over, which may be base64 of such a text.
func keyBlocks(text string) []*pem.Block {
	text = plainText(text)
	blocks := blocksIn(text)
	if len(blocks) > 0 || strings.Contains(text, "-----BEGIN") {
		return blocks
	}
	inner, err := base64.StdEncoding.DecodeString(padded(notBase64.ReplaceAllString(unwrapped(text), "")))
	if err != nil {
		return nil
	}
	if blocks = blocksIn(plainText(string(inner))); len(blocks) > 0 {
		return blocks
	}
	// The inside of a block, without its first and its last line: PKCS#8 says of itself what it is, and PKCS#1 is tried.
	if len(inner) > 0 && inner[0] == 0x30 {
		return []*pem.Block{{Type: "PRIVATE KEY", Bytes: inner}, {Type: "RSA PRIVATE KEY", Bytes: inner}}
	}
	return nil
}

func blocksIn(text string) []*pem.Block {
	var blocks []*pem.Block
	for _, parts := range pemBlock.Regexp().FindAllStringSubmatch(text, -1) {
		block := &pem.Block{Type: parts[1], Headers: map[string]string{}}
		if strings.Contains(parts[2], "ENCRYPTED") {
			block.Headers["Proc-Type"] = "4,ENCRYPTED"
			blocks = append(blocks, block)
			continue
		}
		der, err := base64.StdEncoding.DecodeString(padded(notBase64.ReplaceAllString(parts[2], "")))
		if err == nil && parts[1] == parts[3] {
			block.Bytes = der
		}
		blocks = append(blocks, block) // without its bytes it is damaged
	}
	return blocks
}

// padded ends base64 as the standard wants it, whose end some programs drop.
func padded(text string) string {
	text = strings.TrimRight(text, "=")
	return text + strings.Repeat("=", -len(text)&3)
}

// isDER tells whether a text is a key in binary.
func isDER(text string) bool { return bytes.HasPrefix([]byte(text), []byte{0x30, 0x82}) }

// looksLikeToken finds tokens, of GitHub and of others, and what URLs have in front of their hosts.
var (
	looksLikeToken = pattern.New(`\b(gh[pousr]_|github_pat_|hv[sb]\.|gl(pat|dt|rt)-|npm_|dckr_pat_|xox[bp]-)[\w.~+/=-]{4,}`)
	userOfURL      = pattern.New(`://[^/@\s]+@`)
)

// Hide replaces, in a text that is shown, what looks like a token, and the account in a URL.
func Hide(text string) string {
	return userOfURL.ReplaceAllString(looksLikeToken.ReplaceAllString(text, "TOKEN"), "://USER:PASSWORD@")
}
