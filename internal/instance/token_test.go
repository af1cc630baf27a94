package instance

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

type spoken string

func (s spoken) Reveal() string { return string(s) }

func TestKeptTokens(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state[")
	s := NewStore(dir)
	if value, _ := s.KeptToken("a"); value != "" {
		t.Errorf("there is %q before anything was kept", value)
	}
	if err := s.KeepToken("a", spoken("first"), time.Now()); err == nil {
		t.Error("a token was kept where there is no state")
	}
	if err := s.makeDir(); err != nil {
		t.Fatal(err)
	}
	soon, later := time.Now().Add(time.Minute).UTC(), time.Now().Add(time.Hour).UTC()
	for _, kept := range []struct {
		scope, value string
		expires      time.Time
	}{{"a", "first", soon}, {"b", "other", soon}, {"a", "second", later}} {
		if err := s.KeepToken(kept.scope, spoken(kept.value), kept.expires); err != nil {
			t.Fatal(err)
		}
	}
	if value, expires := s.KeptToken("a"); value != "second" || !expires.Equal(later) {
		t.Errorf("%q until %v", value, expires)
	}
	if value, _ := s.KeptToken("b"); value != "other" {
		t.Errorf("%q", value)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 2 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		private(t, filepath.Join(dir, file.Name()))
		if strings.Contains(file.Name(), "/") {
			t.Errorf("it is called %s", file.Name())
		}
	}
	if err := os.WriteFile(tokenFile(s.dir, "c"), []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	if value, _ := s.KeptToken("c"); value != "" {
		t.Errorf("rubbish is %q", value)
	}
	for range 2 {
		if err := s.DropToken("a"); err != nil {
			t.Error(err)
		}
	}
	if value, _ := s.KeptToken("a"); value != "" {
		t.Errorf("%q was dropped", value)
	}
	s.DropTokens()
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}
