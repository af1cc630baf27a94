package pattern

import (
	"sync"
	"testing"
)

func TestPattern(t *testing.T) {
	t.Parallel()
	p := New(`a(b+)`)
	if p.compiled != nil {
		t.Error("it is compiled before it is used")
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if !p.MatchString("xab") || !p.Match([]byte("ab")) || p.MatchString("ac") {
				t.Error("it does not match what it should")
			}
		})
	}
	all.Wait()
	if got := p.FindStringSubmatch("xabb"); len(got) != 2 || got[1] != "bb" {
		t.Errorf("found %q", got)
	}
	if got := p.FindSubmatch([]byte("xabb")); len(got) != 2 || string(got[1]) != "bb" {
		t.Errorf("found %q", got)
	}
	if got := p.FindAllSubmatch([]byte("abab"), -1); len(got) != 2 {
		t.Errorf("found %q", got)
	}
	if got := p.FindString("xabb"); got != "abb" {
		t.Errorf("found %q", got)
	}
	if got := p.ReplaceAllString("xabb", "$1"); got != "xbb" {
		t.Errorf("made %q", got)
	}
}
