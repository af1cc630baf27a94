package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/shell"
	"github.com/runner-bootstrap/runner-bootstrap/internal/startup"
)

// A file that PowerShell has written holds what was meant.
func TestDecoded(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"abc\n": "abc\n", "\xef\xbb\xbfabc": "abc", "\xff\xfea\x00b\x00\r\x00\n\x00": "ab\r\n", "\xff\xfea\x00b": "a", "": "",
	} {
		if got := decoded([]byte(text)); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

// An account that Windows does not let log on as a service is told what gives it that right.
func TestHintForLogonRefused(t *testing.T) {
	t.Parallel()
	call := &session{arguments: []string{"install"}, system: shell.Windows()}
	err := fmt.Errorf("%w: %w", startup.ErrService, errors.New(
		"starting the listener: Zugriff verweigert (1069): the password of its account is not right, or the account may not log on as a service"))
	code, hint := call.explain(err)
	if todo := call.toDo(err, hint); code != exitService || hint != "secpol.msc" || !strings.Contains(todo, "Log on as a service") {
		t.Errorf("code %d, hint %q, to do %q", code, hint, todo)
	}
}
