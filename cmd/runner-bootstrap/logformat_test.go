package main

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
)

// TestPlainLines: the same is told in lines for a person, in a history of them, and to the journal: there with priorities,
// and without a time of ours.
func TestPlainLines(t *testing.T) {
	told := func(c *console) {
		log := c.log.With("runner", "web-1")
		log.Debug("unseen")
		log.Info("job ended", "job", "build (linux)", "result", "succeeded", "took", 90*time.Second)
		log.Warn("restarting the listener in 5s", "reason", "the listener was killed", "failures", 1)
		log.With("error", errors.New("one\ntwo")).WithGroup("a").With("b", "").Warn("two lines", "c", "d")
		c.End(plan.RegisterPhase, "id 7", true, nil)
		c.summary("done")
		c.failure(errors.New("no\nDid you mean"), "do something", "", "", exitRefused)
	}
	const moment = `\d{4}-\d\d-\d\d \d\d:\d\d:\d\d `
	for name, c := range map[string]struct {
		options callOptions
		want    string
	}{
		"lines": {callOptions{logFormat: formatLines}, `job ended \(runner=web-1 job="build \(linux\)" result=succeeded took=1m30s\)
warning: restarting the listener in 5s: the listener was killed \(runner=web-1 failures=1\)
warning: two lines: one
  two \(runner=web-1 a\.c=d\)
= register    : id 7
done
runner-bootstrap: no
  Did you mean
hint: do something
`},
		"history": {callOptions{logFormat: formatLines, history: true}, moment + `job ended .*
` + moment + `warning: restarting the listener in 5s: the listener was killed \(runner=web-1 failures=1\)
` + moment + `warning: two lines: one
` + moment + `  two .*
` + moment + `= register    : id 7
` + moment + `done
` + moment + `runner-bootstrap: no
` + moment + `  Did you mean
` + moment + `hint: do something
`},
		"journal": {callOptions{logFormat: formatJournal, history: true}, `<6>job ended \(runner=web-1 job="build \(linux\)" result=succeeded took=1m30s\)
<4>restarting the listener in 5s: the listener was killed \(runner=web-1 failures=1\)
<4>two lines: one
<4>  two .*
<6>= register    : id 7
<6>done
<3>runner-bootstrap: no
<3>  Did you mean
<3>hint: do something
`},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			c.options.logLevel = "info"
			told(newConsole(&out, c.options))
			if !regexp.MustCompile(`^` + c.want + `$`).MatchString(out.String()) {
				t.Errorf("got\n%swant\n%s", out.String(), c.want)
			}
		})
	}
}

// TestGroupsOfAttributes: what slog promises of a handler that others may wrap.
func TestGroupsOfAttributes(t *testing.T) {
	var out bytes.Buffer
	log := newConsole(&out, callOptions{logFormat: formatLines, logLevel: "error"}).log
	log.Warn("unseen")
	first := log.With("a", 1)
	first.With("b", 2).Log(t.Context(), slog.LevelError, "x")
	first.With("c", 3).WithGroup("g").Error("y", "d", "e f")
	if want := "error: x (a=1 b=2)\nerror: y (a=1 c=3 g.d=\"e f\")\n"; out.String() != want {
		t.Errorf("got %q", out.String())
	}
}

// TestFormatOfAuto: a file is read by people; what the journal reads is known by systemd's word for it.
func TestFormatOfAuto(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	t.Setenv("JOURNAL_STREAM", "1:2") // another file's
	for format, want := range map[string]string{formatAuto: formatLines, formatJSON: formatJSON, formatJournal: formatJournal} {
		if got := formatOf(format, file); got != want {
			t.Errorf("%s is %s, want %s", format, got, want)
		}
	}
}
