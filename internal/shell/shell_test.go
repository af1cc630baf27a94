package shell

import "testing"

func TestQuote(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]string{"a/b": "a/b", "a b": "'a b'", "it's": `'it'\''s'`, "": "''"} {
		if got := Unix().Quote(word); got != want {
			t.Errorf("%q is written %s, want %s", word, got, want)
		}
	}
}
