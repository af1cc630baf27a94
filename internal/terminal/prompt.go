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
	from := behindBlanks(p.In)
	p.put(question)
	text, ended, err := p.await(ctx, func() (string, error) { return readLine(from) })
	if !ended {
		fmt.Fprintln(p.Out) // the terminal has shown no end of a line
	}
	return text, err
}

// AskSecret is Ask for what is not to be seen.
func (p *Prompt) AskSecret(ctx context.Context, question string) (string, error) {
	from := behindBlanks(p.In)
	p.put(question + " (not shown as you type or paste):")
	fd := int(p.In.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("asking at the terminal: %w", err)
	}
	// Who interrupts it gets a terminal that shows again what is typed.
	defer func() { _ = term.Restore(fd, before) }()
	text, _, err := p.await(ctx, func() (string, error) { return readSecret(p.In, from) })
	fmt.Fprintln(p.Out)
	return text, err
}

// put writes a question; the answer begins behind it.
func (p *Prompt) put(question string) {
	fmt.Fprint(p.Out, Fitted(question, Columns(p.Out))+" ")
}

// await returns what is read, and whether a line had its end.
func (p *Prompt) await(ctx context.Context, read func() (string, error)) (text string, ended bool, err error) {
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
		done <- result{answerIn(text), err}
	}()
	select {
	case <-ctx.Done():
		return "", false, ctx.Err()
	case got := <-done:
		if p.Open != nil {
			p.Open.Store(false)
		}
		if got.err != nil && !errors.Is(got.err, io.EOF) {
			return "", false, fmt.Errorf("reading from the terminal: %w", got.err)
		}
		return got.text, got.err == nil, nil
	}
}

// pasteMarks are what a terminal puts around what is pasted, if a program before has asked for that and did not take it back.
var pasteMarks = strings.NewReplacer("\x1b[200~", "", "\x1b[201~", "") //nolint:gochecknoglobals // a table

// answerIn is what was meant by a line: no mark and no blank that came with a paste.
func answerIn(line string) string { return strings.TrimSpace(pasteMarks.Replace(line)) }

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
