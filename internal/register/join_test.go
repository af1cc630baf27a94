package register

import (
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
)

// A token that is kept is used while it lives. By a clock that was set back it would live for ever.
func TestLasts(t *testing.T) {
	t.Parallel()
	for left, want := range map[time.Duration]bool{
		-25 * time.Hour: false, time.Minute: false, time.Hour: true, 25 * time.Hour: false,
	} {
		if got := Lasts(github.Token{Expires: time.Now().Add(left)}); got != want {
			t.Errorf("one that ends in %s lasts: %t", left, got)
		}
	}
}
