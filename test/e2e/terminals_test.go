//go:build e2e && linux

package e2e_test

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/machine"
	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/stage"
)

var update = flag.Bool("update", false, "write again what the guides show of terminals")

// TestTerminals sits at terminals of two widths, from an install that asks for its token to an uninstall that does. What
// they show is in the guides, no line is wider than the terminal, and no token is seen.
func TestTerminals(t *testing.T) {
	t.Parallel()
	listener := stage.Listener(t, t.TempDir())
	for _, columns := range []int{80, 40} {
		t.Run(fmt.Sprint(columns), func(t *testing.T) {
			t.Parallel()
			s := stage.Set(t, machine.Options{Kind: machine.Debian13Full, Cgroup2: true}, githubtest.ArchiveSpec{
				Version: stage.Version, Listener: listener, Padding: 64 << 20,
			})
			s.Must("systemctl", "start", "network-online.target")
			s.Must("hostname", name)
			s.Write("/etc/hosts", "127.0.0.1 localhost "+name+"\n", 0o644)
			seat := &seat{Stage: s, columns: columns}
			seat.day(t)
			seat.compare(t, fmt.Sprintf("../../docs/guides/transcript-%d.md", columns))
		})
	}
}

// seat is where a person sits.
type seat struct {
	*stage.Stage

	columns int
	blocks  []block
}

// block is one command: what is said about it, and what the terminal showed.
type block struct{ about, shown string }

// day is what the person does.
func (s *seat) day(t *testing.T) {
	t.Helper()
	url := s.Server.URL() + "/octo-org"
	installed := s.do(t, "`install` asks for what it was not told. What is pasted as the token is not shown.", "install",
		func(w *machine.Terminal) {
			w.Until(`REPO:\s`)
			w.Type(url + "\n")
			w.Until(`paste\):\s`)
			w.Type(s.Server.RegistrationToken("octo-org") + "\n")
		}, url)
	if !regexp.MustCompile(`\d% \|.*\(.*/.* MB`).MatchString(installed) {
		t.Errorf("no bar with bytes and total:\n%q", installed)
	}
	s.do(t, "`list` is a table, or, where that does not fit, a line for each of its cells.", "list", nil)
	s.do(t, "`status` compares what was installed with the service and, with an access token, with GitHub.", "status", nil)
	s.do(t, "`logs -f` goes on until Ctrl-C. Meanwhile GitHub gives the runner a job.", "logs -f", func(w *machine.Terminal) {
		w.Until("listening for jobs")
		s.Server.QueueJob(name, githubtest.Job{Name: "build", Script: "sleep 1"})
		w.Until(`took=\S+\)`)
		w.Type("\x03")
	})
	s.do(t, "`drain` waits for the running job; there is none.", "drain", nil)
	s.do(t, "A drained runner is told by `list`.", "list", nil)
	s.do(t, "`restart` lets it take jobs again.", "restart", nil)
	s.do(t, "`status` says so.", "status", nil)
	s.do(t, "`uninstall` asks for the token that GitHub's page of the runner shows for its removal.", "uninstall",
		func(w *machine.Terminal) {
			w.Until(`paste\):\s`)
			w.Type(s.Server.RemoveToken("octo-org") + "\n")
		})
	s.do(t, "Nothing is left.", "list", nil)
	if left := s.Server.Runners(""); len(left) != 0 {
		t.Errorf("GitHub lists %v", left)
	}
}

// do runs a command of the program to its end, and returns what came to the terminal. Typed is what the person types and
// the terminal shows.
func (s *seat) do(t *testing.T, about, command string, sit func(*machine.Terminal), typed ...string) string {
	t.Helper()
	line := "sudo runner-bootstrap " + command
	w := machine.OpenTerminal(t, s.Machine, s.columns, line)
	if sit != nil {
		sit(w)
	}
	shown, err := w.End()
	if err != nil {
		t.Fatalf("%s: %v\n%s", line, err, shown)
	}
	s.fits(t, line, shown, typed)
	for _, secret := range s.Server.Secrets() {
		if strings.Contains(shown, secret) {
			t.Errorf("%s shows a token", line)
		}
	}
	s.blocks = append(s.blocks, block{about, "$ " + line + "\n" + onScreen(shown)})
	return shown
}

// fits holds every line to the terminal, also those that are painted over; a word alone in its line has no place to break.
func (s *seat) fits(t *testing.T, command, shown string, typed []string) {
	t.Helper()
	for line := range strings.FieldsFuncSeq(shown, func(r rune) bool { return r == '\r' || r == '\n' }) {
		for _, text := range typed {
			line = strings.TrimSuffix(line, text)
		}
		line = strings.TrimRight(line, " ")
		if utf8.RuneCountInString(line) > s.columns && len(strings.Fields(line)) > 1 {
			t.Errorf("%s at %d columns: a line of %d:\n%s", command, s.columns, utf8.RuneCountInString(line), line)
		}
	}
}

// onScreen is what stays: of each line, what was written last.
func onScreen(shown string) string {
	var screen strings.Builder
	for line := range strings.SplitSeq(strings.TrimRight(strings.ReplaceAll(shown, "\r\n", "\n"), "\n"), "\n") {
		screen.WriteString(strings.TrimRight(line[strings.LastIndexByte(line, '\r')+1:], " ") + "\n")
	}
	return screen.String()
}

// differs is what differs from run to run, and what stands for it.
var differs = []struct {
	what *regexp.Regexp
	as   string
}{
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "127.0.0.1:40000"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d(\s+)\d\d:\d\d:\d\d`), "2026-01-05${1}09:30:00"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d(\s+)\d\d:\d\d\b`), "2026-01-05${1}09:30"},
	{regexp.MustCompile(`(?m)^[A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d `), "Jan 05 09:30:00 "},
	{regexp.MustCompile(`(\(|after\s+|took=)(\d+m)?\d[\d.]*m?s`), "${1}1s"},
	{regexp.MustCompile(`runner-bootstrap\[\d+\]`), "runner-bootstrap[100]"},
	{regexp.MustCompile(`(pid=|process\s+)\d+`), "${1}100"},
	{regexp.MustCompile(`version=(devel|v\d\S*)(\s+runner=web-1\s+pid=)`), "version=devel${2}"},
	{regexp.MustCompile(`\b(u?id)(\s+)\d+`), "${1}${2}101"},
	{regexp.MustCompile(`linux-(x64|arm64|arm)\b`), "linux-x64"},
}

// compare holds the guide to what was shown. Where a line breaks may depend on the length of a number, and the service
// manager and the agent write to the log at the same time: that is left out.
func (s *seat) compare(t *testing.T, file string) {
	t.Helper()
	want := s.guide()
	before, err := os.ReadFile(file)
	if err != nil && !*update {
		t.Fatal(err)
	}
	if slices.Equal(unbroken(string(before)), unbroken(want)) || t.Failed() {
		return
	}
	if !*update {
		t.Fatalf("%s differs from what the terminal shows; run: go test -tags e2e ./test/e2e -run TestTerminals -update\n%s", file, want)
	}
	if err := os.WriteFile(file, []byte(want), 0o644); err != nil { //nolint:gosec // a public text
		t.Fatal(err)
	}
}

// guide is the whole page.
func (s *seat) guide() string {
	var page strings.Builder
	fmt.Fprintf(&page, "# At a terminal of %d columns\n\n"+
		"What a person sees, from the first command to the last, on a host called `%s` and with a simulated GitHub. Times,\n"+
		"ports and the numbers of processes are made the same for each run. <!-- shown by TestTerminals -->\n", s.columns, name)
	for _, b := range s.blocks {
		for _, d := range differs {
			b.shown = d.what.ReplaceAllString(b.shown, d.as)
		}
		fmt.Fprintf(&page, "\n%s\n\n```console\n%s```\n", b.about, b.shown)
	}
	return page.String()
}

// unbroken is the lines of a page, each with what was broken off it, and those of a log in order of their letters.
func unbroken(page string) []string {
	var lines []string
	for line := range strings.Lines(page) {
		words := strings.Join(strings.Fields(line), " ")
		if strings.HasPrefix(line, " ") && len(lines) > 0 {
			lines[len(lines)-1] += " " + words
			continue
		}
		lines = append(lines, words)
	}
	isLog := func(line string) bool { return strings.HasPrefix(line, "Jan 05 ") }
	if first := slices.IndexFunc(lines, isLog); first >= 0 {
		end := first
		for end < len(lines) && isLog(lines[end]) {
			end++
		}
		slices.Sort(lines[first:end])
	}
	return lines
}
