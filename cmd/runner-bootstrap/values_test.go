package main

import (
	"fmt"
	"strings"
	"testing"
)

// Whatever takes one of a few values, a number or a time says so itself, as a flag, as a variable and in a file, where the place
// is told too.
func TestValuesAreRefusedAlike(t *testing.T) {
	numbers := map[string]string{
		"count": "from 1 to 65535", "connections": "from 1 to 8", "max-jobs": "from 0 to 65535", "keep": "from 0 to 65535",
	}
	seen := 0
	for _, o := range declaredOptions() {
		var want string
		switch {
		case o.count != nil:
			if want = numbers[o.name]; want == "" {
				t.Errorf("--%s has no row in this test", o.name)
			}
			want = "it is a whole number " + want + ", such as 2"
		case len(o.choices) > 0:
			want = "it is " + either(o.choices)
		case len(o.among) > 0 && o.list != nil:
			want = "each is " + either(o.among)
		case len(o.among) > 0:
			want = "it is " + either(o.among)
		case o.span != nil:
			want = "it is a time with its unit, such as 90s or 15m"
		default:
			continue
		}
		seen++
		want = `value "nonsense" is not understood; ` + want
		if err := (&binding{option: o}).Set("nonsense"); err == nil || !strings.HasSuffix(want, err.Error()) {
			t.Errorf("--%s: %v, want one that ends %q", o.name, err, want)
		}
		_, err := readConfig("f.yaml", fmt.Appendf(nil, "\n%s: nonsense\n", o.name))
		place := fmt.Sprintf("configuration file f.yaml:2:%d: key %q: ", len(o.name)+len(": ")+1, o.name)
		if err == nil || err.Error() != place+want {
			t.Errorf("--%s in a file: %v, want %s", o.name, err, place+want)
		}
	}
	if seen < 20 {
		t.Errorf("%d options were looked at", seen)
	}
}

// Each bound is the option's own, and what is on it is taken.
func TestBoundsOfValues(t *testing.T) {
	number, text := 0, ""
	for value, want := range map[string]string{
		"1": "", "8": "", "0": "out of range; it is a whole number from 1 to 8, such as 2", "9": "out of range; it is a whole number from 1 to 8, such as 2",
		"-1": "not understood; it is a whole number from 1 to 8, such as 2", "99999999999999999999": "out of range; it is a whole number from 1 to 8, such as 2",
	} {
		err := (&binding{option: option{name: "n", count: &count{at: &number, least: 1, most: 8}}}).Set(value)
		if got := fmt.Sprint(err); got != want && (err != nil || want != "") {
			t.Errorf("%q: %v, want %q", value, err, want)
		}
	}
	for value, wrong := range map[string]bool{"on": false, "ON": false, "": true, "o": true} {
		err := (&binding{option: option{name: "w", text: &text, among: []string{"on", "off"}, fallback: "on"}}).Set(value)
		if (err != nil) != wrong || err == nil && text != "on" {
			t.Errorf("%q: %v, %q", value, err, text)
		}
	}
}
