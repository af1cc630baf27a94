package terminal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// pair is a terminal, and the side of it at which somebody types.
func pair(t *testing.T) (keys, screen *os.File) {
	t.Helper()
	keys, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = keys.Close() })
	fd := int(keys.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	screen, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = screen.Close() })
	return keys, screen
}

// told is what a prompt has printed so far.
type told struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *told) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *told) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// Whatever comes around an answer is none of it, whenever it was typed; and what is said next has a line of its own, which is
// the next one.
func TestPromptAnswers(t *testing.T) {
	t.Parallel()
	const before = "before" // it is typed before the question
	for name, c := range map[string]struct {
		typed  string
		when   string
		want   string
		echoed bool // the end of the line, by the terminal
	}{
		"plain":                       {"answer\n", "", "answer", true},
		"typed before":                {"answer\n", before, "answer", true},
		"blanks around it":            {" \t answer  \n", "", "answer", true},
		"from another system":         {"answer\r\n", "", "answer", true},
		"behind the end of a line":    {"\r\nanswer\n", before, "answer", true},
		"pasted between marks":        {"\x1b[200~answer\x1b[201~\n", "", "answer", true},
		"pasted with its end":         {"\x1b[200~answer\n\x1b[201~", "", "answer", true},
		"empty":                       {"\n", "", "", true},
		"the end of input":            {"\x04", "", "", false},
		"the end of input, before":    {"\x04", before, "", false},
		"the end of input, in a line": {"answer\x04\x04", "", "answer", false},
	} {
		for _, secret := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, secret %t", name, secret), func(t *testing.T) {
				t.Parallel()
				keys, screen := pair(t)
				out := &told{}
				p := &Prompt{In: screen, Out: out}
				typing := func() {
					if _, err := keys.WriteString(c.typed); err != nil {
						t.Error(err)
					}
				}
				if c.when == before {
					typing()
				}
				ask, end := p.Ask, "Name? "
				if secret {
					ask, end = p.AskSecret, "Name? (not shown as you type or paste): "
				}
				if c.when != before {
					go func() {
						for out.String() != end {
							time.Sleep(time.Millisecond)
						}
						time.Sleep(20 * time.Millisecond) // what was typed before it hides them is the terminal's to show
						typing()
					}()
				}
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				got, err := ask(ctx, "Name?")
				if err != nil || got != c.want {
					t.Errorf("%q, %v, want %q", got, err, c.want)
				}
				if secret || !c.echoed {
					end += "\n"
				}
				if out.String() != end {
					t.Errorf("it printed %q, want %q", out.String(), end)
				}
			})
		}
	}
}

// Who interrupts a question finds one line ended, and not two.
func TestPromptInterrupted(t *testing.T) {
	t.Parallel()
	for _, secret := range []bool{false, true} {
		_, screen := pair(t)
		out := &told{}
		p := &Prompt{In: screen, Out: out}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(100*time.Millisecond, cancel)
		ask, want := p.Ask, "Name? \n"
		if secret {
			ask, want = p.AskSecret, "Name? (not shown as you type or paste): \n"
		}
		if _, err := ask(ctx, "Name?"); !errors.Is(err, context.Canceled) {
			t.Errorf("secret %t: %v", secret, err)
		}
		if out.String() != want {
			t.Errorf("secret %t: it printed %q, want %q", secret, out.String(), want)
		}
	}
}
