package terminal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"

	"golang.org/x/term"
)

// Is tells whether a stream is a terminal.
func Is(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// maxAnswer bounds an answer: keys and configurations are pasted as well.
const maxAnswer = 64 << 10

// Prompt is where a person is asked, beside what is told.
type Prompt struct {
	In  *os.File // a terminal
	Out io.Writer
	// Open is set while an answer is waited for, and stays so when none comes; nil: nobody looks.
	Open *atomic.Bool
}

// Ask returns the line that is typed, without blanks around it. Its end, and that of ctx, are errors.
func (p *Prompt) Ask(ctx context.Context, question string) (string, error) {
	p.put(question)
	return p.await(ctx, func() (string, error) { return readLine(p.In) })
}

// AskSecret is Ask for what is not to be seen.
func (p *Prompt) AskSecret(ctx context.Context, question string) (string, error) {
	p.put(question + " (not shown as you type or paste):")
	fd := int(p.In.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("asking at the terminal: %w", err)
	}
	// Who interrupts it gets a terminal that shows again what is typed.
	defer func() { _ = term.Restore(fd, before) }()
	text, err := p.await(ctx, func() (string, error) { return readSecret(p.In) })
	fmt.Fprintln(p.Out)
	return text, err
}

// put writes a question; the answer begins behind it.
func (p *Prompt) put(question string) {
	fmt.Fprint(p.Out, Fitted(question, Columns(p.Out))+" ")
}

func (p *Prompt) await(ctx context.Context, read func() (string, error)) (string, error) {
	type result struct {
		text string
		err  error
	}
	if p.Open != nil {
		p.Open.Store(true)
	}
	done := make(chan result, 1)
	go func() {
		text, err := read()
		done <- result{strings.TrimSpace(text), err}
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(p.Out)
		return "", ctx.Err()
	case got := <-done:
		if p.Open != nil {
			p.Open.Store(false)
		}
		if got.err != nil && !errors.Is(got.err, io.EOF) {
			return "", fmt.Errorf("reading from the terminal: %w", got.err)
		}
		return got.text, nil
	}
}

// readLine reads no byte beyond the line: what comes next may be the answer to another question.
func readLine(in io.Reader) (string, error) {
	var line []byte
	for one := make([]byte, 1); len(line) < maxAnswer; {
		n, err := in.Read(one)
		switch {
		case n > 0 && one[0] == '\n':
			return string(line), nil
		case n > 0:
			line = append(line, one[0])
		case err != nil:
			return string(line), err
		}
	}
	return string(line), nil
}
