package control

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

// The page for others names every command and every key, and no other.
func TestDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/control.md")
	if err != nil {
		t.Fatal(err)
	}
	want, named := map[string]bool{}, map[string]bool{}
	for _, command := range commands() {
		if !strings.Contains(string(text), "| `POST "+prefix+string(command)+"` |") {
			t.Errorf("it does not name the command %s", command)
		}
	}
	keysOf(reflect.TypeFor[State](), want)
	for line := range strings.Lines(string(text)) {
		cell, _, _ := strings.Cut(strings.TrimPrefix(line, "| "), " |")
		for key := range strings.SplitSeq(cell, ", ") {
			if name := strings.Trim(key, "`"); len(key) == len(name)+2 && strings.HasPrefix(line, "| `") && !strings.Contains(name, " ") {
				if !want[name] {
					t.Errorf("it names %q, which no state has", name)
				}
				named[name] = true
			}
		}
	}
	for key := range want {
		if !named[key] {
			t.Errorf("it does not name %q", key)
		}
	}
}

// keysOf adds the keys that a type has as JSON.
func keysOf(of reflect.Type, keys map[string]bool) {
	for i := range of.NumField() {
		field := of.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if field.Anonymous && name == "" {
			keysOf(field.Type, keys)
			continue
		}
		keys[name] = true
		if name == "report" {
			keysOf(field.Type, keys)
		}
	}
}
