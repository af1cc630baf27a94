package secret

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

const theSecret = "ghs_12345_s3cr3t.value-with-all-of-it"

// holder has a secret wherever a program may have one.
type holder struct {
	Exported  Secret
	hidden    Secret
	Pointer   *Secret
	pointer   *Secret
	List      []Secret
	list      []Secret
	ByName    map[string]Secret
	byName    map[string]Secret
	Interface any
	inner     struct{ deeper Secret }
	Inner     struct{ Deeper Secret }
}

func newHolder() holder {
	s := New(theSecret)
	h := holder{
		Exported: s, hidden: s, Pointer: &s, pointer: &s, List: []Secret{s}, list: []Secret{s},
		ByName: map[string]Secret{"a": s}, byName: map[string]Secret{"a": s}, Interface: s,
	}
	h.inner.deeper, h.Inner.Deeper = s, s
	return h
}

func hides(t *testing.T, where, text string) {
	t.Helper()
	for _, form := range []string{theSecret, hex.EncodeToString([]byte(theSecret)), fmt.Sprintf("% x", theSecret), fmt.Sprintf("%#x", theSecret)} {
		if strings.Contains(strings.ToLower(text), form) {
			t.Errorf("%s tells the secret: %s", where, text)
		}
	}
}

func TestSecretIsNeverPrinted(t *testing.T) {
	t.Parallel()
	s, h := New(theSecret), newHolder()
	values := map[string]any{
		"secret": s, "pointer": &s, "struct": h, "pointer to struct": &h, "list": []Secret{s}, "map": map[string]any{"a": h},
		"map key": map[Secret]int{s: 1}, "error": fmt.Errorf("using %v: %w", s, errors.New("x")),
	}
	for name, value := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%#x", "%d", "%o", "%t", "%p", "%T", "%100v", "%.5s", "%!"} {
			hides(t, name+" as "+verb, fmt.Sprintf(verb, value))
		}
		hides(t, name+" as Sprint", fmt.Sprint(value))
	}
}

func TestSecretIsNeverEncoded(t *testing.T) {
	t.Parallel()
	h := newHolder()
	text, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	hides(t, "JSON", string(text))
	if !strings.Contains(string(text), `"Exported":"[redacted]"`) {
		t.Errorf("JSON does not say that there is one: %s", text)
	}
	text, err = json.Marshal(map[Secret]int{h.Exported: 1})
	if err != nil {
		t.Fatal(err)
	}
	hides(t, "JSON key", string(text))
}

func TestSecretIsNeverLogged(t *testing.T) {
	t.Parallel()
	h := newHolder()
	for name, handler := range map[string]func(*bytes.Buffer) slog.Handler{
		"text": func(out *bytes.Buffer) slog.Handler { return slog.NewTextHandler(out, nil) },
		"JSON": func(out *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(out, nil) },
	} {
		var out bytes.Buffer
		log := slog.New(handler(&out)).With("with", h.Exported)
		log.Info("message", "secret", h.Exported, "pointer", h.Pointer, "struct", h, "pointer_to_struct", &h, "list", h.List,
			slog.Group("group", "secret", h.Exported))
		hides(t, name, out.String())
		if got := strings.Count(out.String(), "[redacted]"); got < 4 {
			t.Errorf("%s says %d times that there is one: %s", name, got, out.String())
		}
	}
}

func TestSecretOfNothing(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", " ", "\n", "\r\n\t"} {
		s := New(text)
		if !s.Empty() || s.Reveal() != "" || s.String() != "" || s != (Secret{}) {
			t.Errorf("%q is the secret %#v", text, s)
		}
	}
	if got := New(" " + theSecret + "\r\n").Reveal(); got != theSecret {
		t.Errorf("a final newline counts: %q", got)
	}
}

func TestCheckToken(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"ghp_abc", "ghp_abc\n", "\r\n ghs_1_a.b-c_d \t\n", "", " \n", "AABF3JGZDX3P5PMEXLND6TS6FCWO6", strings.Repeat("x", 5000)} {
		if err := CheckToken(text); err != nil {
			t.Errorf("%.20q: %v", text, err)
		}
	}
	for text, says := range map[string]string{
		"s3cr3t s3cr3t": "a blank inside", "s3cr3t\ts3cr3t": "a blank inside", "s3cr3t\ns3cr3t\n": "more than one line", "s3cr3t\r\ns3cr3t": "more than one line",
		"s3cr3t\x00": "a character that no token has", "\ufeffs3cr3t": "a character that no token has", "s3cr3t\x1b": "a character that no token has",
		"s3cr3t\u00e9": "a character that no token has", "s3cr3t\xff": "a character that no token has", "s3cr3t\u00a0s3cr3t": "a blank inside",
	} {
		err := CheckToken(text)
		if !errors.Is(err, ErrToken) || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%q: %v, want %q", text, err, says)
		}
	}
}
