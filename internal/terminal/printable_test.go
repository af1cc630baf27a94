package terminal

import (
	"bytes"
	"encoding/json"
	"testing"
)

func TestPrintable(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]string{
		"plain\ttext\n":        "plain\ttext\n",
		"Ünïcode, 漢字 and 🙂":    "Ünïcode, 漢字 and 🙂",
		"\x1b[31mred":          `\u001b[31mred`,
		"bell\a\r\x7f":         `bell\u0007\u000d\u007f`,
		"\u009b1m\u202etxt":    `\u009b1m\u202etxt`,
		"\xff broken \xc3":     "� broken ",
		"private \U000f0000.":  `private \udb80\udc00.`,
		"no-break\u00a0blanks": `no-break\u00a0blanks`,
	} {
		for _, step := range []int{1, 2, 100} {
			var out bytes.Buffer
			w := &Printable{To: &out}
			for rest := []byte(typed); len(rest) > 0; rest = rest[min(step, len(rest)):] {
				if n, err := w.Write(rest[:min(step, len(rest))]); n != min(step, len(rest)) || err != nil {
					t.Fatal(n, err)
				}
			}
			if out.String() != want {
				t.Errorf("%q, %d at a time: %q, want %q", typed, step, out.String(), want)
			}
		}
	}
}

// JSON says the same afterwards.
func TestPrintableJSON(t *testing.T) {
	t.Parallel()
	const name = "a\x1b[31m\u009b\u202e\U000f0000🙂"
	var out bytes.Buffer
	encoder := json.NewEncoder(&Printable{To: &out})
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(name); err != nil {
		t.Fatal(err)
	}
	var read string
	if err := json.Unmarshal(out.Bytes(), &read); err != nil || read != name {
		t.Errorf("%q is %q, %v", out.String(), read, err)
	}
	if bytes.ContainsAny(out.Bytes(), "\x1b\u009b\u202e") {
		t.Errorf("%q", out.String())
	}
}
