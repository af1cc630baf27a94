package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
)

// TestProgressLines: where there is no terminal, a download tells of itself
// every ten seconds, in both forms, and not with --no-progress.
func TestProgressLines(t *testing.T) {
	for name, c := range map[string]struct {
		values callOptions
		want   string
		count  int
	}{
		"log":    {callOptions{logFormat: "text", logLevel: "info"}, "msg=progress phase=fetch", 3},
		"person": {callOptions{logFormat: "lines", logLevel: "info"}, "  fetch       runner.tar.gz: ", 3},
		"silent": {callOptions{logFormat: "text", logLevel: "info", noProgress: true}, "progress", 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				console := newConsole(&out, c.values)
				console.Begin(plan.FetchPhase, "runner.tar.gz")
				for second := range int64(35) {
					time.Sleep(time.Second)
					console.Progress(second*1e6, 100e6)
				}
				if got := strings.Count(out.String(), c.want); got != c.count {
					t.Errorf("%d lines with %q, want %d:\n%s", got, c.want, c.count, out.String())
				}
			})
		})
	}
}

// TestProgressTells: bytes, rate and time left, as far as they are known. What an
// interrupted run had received already tells nothing of the rate.
func TestProgressTells(t *testing.T) {
	for name, c := range map[string]struct {
		format      string
		from, total int64
		want        string
	}{
		"person":              {"lines", 0, 100e6, "  fetch       runner.tar.gz: 10.0 MB of 100.0 MB (1.0 MB/s, 1m30s left)\n"},
		"person, resumed":     {"lines", 50e6, 100e6, "  fetch       runner.tar.gz: 60.0 MB of 100.0 MB (1.0 MB/s, 40s left)\n"},
		"person, no total":    {"lines", 0, 0, "  fetch       runner.tar.gz: 10.0 MB (1.0 MB/s)\n"},
		"log":                 {"text", 0, 100e6, `bytes=10000000 rate="1.0 MB/s" total=100000000 left=1m30s`},
		"log, no total":       {"text", 0, 0, "bytes=10000000 rate=\"1.0 MB/s\"\n"},
		"person, begun again": {"lines", -5e6, 100e6, "  fetch       runner.tar.gz: 5.0 MB of 100.0 MB (1.0 MB/s, 1m35s left)\n"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				console := newConsole(&out, callOptions{logFormat: c.format, logLevel: "info"})
				console.Begin(plan.FetchPhase, "runner.tar.gz")
				for second := range int64(11) {
					done := c.from + second*1e6
					if done < 0 {
						done += 20e6 // before the server began again
					}
					console.Progress(done, c.total)
					time.Sleep(time.Second)
				}
				if !strings.Contains(out.String(), c.want) {
					t.Errorf("got\n%swant\n%s", out.String(), c.want)
				}
			})
		})
	}
}

// TestConsoleKeys: log lines have fixed keys that people build alerts on.
func TestConsoleKeys(t *testing.T) {
	var out bytes.Buffer
	console := newConsole(&out, callOptions{logFormat: "json", logLevel: "info"})
	console.Begin(plan.FetchPhase, "runner.tar.gz")
	console.End(plan.FetchPhase, "ok", false, nil)
	console.Begin(plan.RegisterPhase, "web-1")
	console.End(plan.RegisterPhase, "", false, errors.New("no"))
	console.failure(errors.New("no"), "do something", "ask somebody", "https://docs.test/x", exitRefused)
	text := out.String()
	for _, want := range []string{
		`"phase":"fetch"`, `"object":"runner.tar.gz"`, `"result":"ok"`, `"kept":false`, `"took":`,
		`"level":"ERROR"`, `"hint":"do something"`, `"to_do":"ask somebody"`, `"exit_code":7`, `"see":"https://docs.test/x"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	if got := strings.Count(text, `"msg":"no"`); got != 1 {
		t.Errorf("the failure is told %d times", got)
	}
}
