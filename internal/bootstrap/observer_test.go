//go:build unix

package bootstrap_test

import (
	"bytes"
	"strings"
	"sync"

	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
)

// text is a log that several goroutines write.
type text struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (l *text) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.Write(p)
}

func (l *text) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.String()
}

// phases notes what an observer is told: "service: kept", "service: RESULT", "service failed".
type phases struct {
	// begin, if set, is called when a phase does.
	begin func(phase plan.Phase)

	mu  sync.Mutex
	all []string
}

func (p *phases) Begin(phase plan.Phase, _ string) {
	if p.begin != nil {
		p.begin(phase)
	}
}
func (p *phases) Progress(int64, int64) {}
func (p *phases) End(phase plan.Phase, result string, kept bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err != nil:
		result = "failed"
	case kept:
		result = "kept: " + result
	}
	p.all = append(p.all, string(phase)+": "+result)
}

func (p *phases) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all = nil
}

// of is how a phase has ended; empty if it had no part.
func (p *phases) of(phase plan.Phase) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, one := range p.all {
		if result, found := strings.CutPrefix(one, string(phase)+": "); found {
			return result
		}
	}
	return ""
}
