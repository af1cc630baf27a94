package health

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
)

// series is one line of samples: name, labels in order, value.
type series struct {
	name   string
	labels [][2]string
	value  float64
}

var (
	helpLine   = regexp.MustCompile(`^# HELP ([a-z_]+) (\S.*)$`)
	typeLine   = regexp.MustCompile(`^# TYPE ([a-z_]+) (gauge|counter)$`)
	sampleLine = regexp.MustCompile(`^([a-z_]+)(?:\{(.*)\})? (-?[0-9.e+]+)$`)
)

// parse reads the text format, and refuses all that a strict reader may: families
// in pieces, samples without HELP and TYPE before them, series that are there twice.
func parse(text string) (all []series, err error) {
	if !strings.HasSuffix(text, "\n") {
		return nil, errors.New("the last line does not end")
	}
	var help, family, kind string
	families, seen := map[string]bool{}, map[string]bool{}
	for n, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		bad := func(why string) error { return fmt.Errorf("line %d, %q: %s", n+1, line, why) }
		if m := helpLine.FindStringSubmatch(line); m != nil {
			if families[m[1]] {
				return nil, bad("a family that was there before")
			}
			help, family = m[1], ""
			families[m[1]] = true
			continue
		}
		if m := typeLine.FindStringSubmatch(line); m != nil {
			if help != m[1] || family != "" {
				return nil, bad("TYPE does not follow its HELP")
			}
			family, kind = m[1], m[2]
			continue
		}
		m := sampleLine.FindStringSubmatch(line)
		if m == nil || m[1] != family {
			return nil, bad("no sample of the family " + family)
		}
		if (kind == "counter") != strings.HasSuffix(family, "_total") {
			return nil, bad("a " + kind + " of this name")
		}
		labels, err := parseLabels(m[2])
		if err != nil {
			return nil, bad(err.Error())
		}
		value, err := strconv.ParseFloat(m[3], 64)
		if err != nil {
			return nil, bad(err.Error())
		}
		id := fmt.Sprint(m[1], labels)
		if seen[id] {
			return nil, bad("a series that was there before")
		}
		seen[id] = true
		all = append(all, series{m[1], labels, value})
	}
	return all, nil
}

func parseLabels(text string) (labels [][2]string, err error) {
	for text != "" {
		name, rest, found := strings.Cut(text, `="`)
		if !found || !regexp.MustCompile(`^[a-z]+$`).MatchString(name) {
			return nil, fmt.Errorf("no label at %q", text)
		}
		var value strings.Builder
		i := 0
		for ; i < len(rest) && rest[i] != '"'; i++ {
			if rest[i] != '\\' {
				value.WriteByte(rest[i])
				continue
			}
			i++
			if i == len(rest) {
				return nil, errors.New("an escape of nothing")
			}
			plain, known := map[byte]byte{'\\': '\\', '"': '"', 'n': '\n'}[rest[i]]
			if !known {
				return nil, fmt.Errorf("an unknown escape at %q", rest[i:])
			}
			value.WriteByte(plain)
		}
		if i >= len(rest) {
			return nil, fmt.Errorf("a value without end: %q", rest)
		}
		labels = append(labels, [2]string{name, value.String()})
		if text, found = strings.CutPrefix(rest[i+1:], ","); !found && text != "" || found && text == "" {
			return nil, fmt.Errorf("no comma at %q", text)
		}
	}
	return labels, nil
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func sample() Metrics {
	return Metrics{
		Runner: "r1", Scope: "octo/hello", Version: "2.330.0", State: string(instance.Busy),
		Since: time.Unix(1700000000, 0), Now: time.Unix(1700000060, 0),
		Jobs: map[string]int64{jobSucceeded: 5, jobFailed: 1}, Starts: 2, Registrations: 1,
	}
}

// only is the folder's content, which has to be just this file.
func only(t *testing.T, file string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(file))
	if err != nil || len(entries) != 1 || entries[0].Name() != filepath.Base(file) {
		t.Errorf("beside %s there are: %v, %v", filepath.Base(file), entries, err)
	}
}

func TestMetricsAreInTheTextFormat(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "runner.prom")
	m := sample()
	code := -1
	m.LastExit = &code
	if err := WriteMetrics(file, m); err != nil {
		t.Fatal(err)
	}
	got, err := parse(read(t, file))
	if err != nil {
		t.Fatalf("%v\n%s", err, read(t, file))
	}
	const r, s = "r1", "octo/hello"
	of := [][2]string{{"runner", r}, {"scope", s}}
	want := []series{{"runner_bootstrap_info", [][2]string{{"runner", r}, {"scope", s}, {"version", "2.330.0"}}, 1}}
	for _, state := range []string{
		"starting", "connecting", "conflict", "registering", "idle", "reconnecting", "busy", "updating", "draining", "drained", "failing", "ended",
	} {
		value := 0.0
		if state == "busy" {
			value = 1
		}
		want = append(want, series{"runner_bootstrap_state", [][2]string{{"runner", r}, {"scope", s}, {"state", state}}, value})
	}
	want = append(want,
		series{"runner_bootstrap_state_since_seconds", of, 1700000000},
		series{"runner_bootstrap_jobs_total", append(slices.Clone(of), [2]string{"result", "canceled"}), 0},
		series{"runner_bootstrap_jobs_total", append(slices.Clone(of), [2]string{"result", "failed"}), 1},
		series{"runner_bootstrap_jobs_total", append(slices.Clone(of), [2]string{"result", "succeeded"}), 5},
		series{"runner_bootstrap_listener_starts_total", of, 2},
		series{"runner_bootstrap_registrations_total", of, 1},
		series{"runner_bootstrap_listener_last_exit_code", of, -1},
		series{"runner_bootstrap_heartbeat_seconds", of, 1700000060},
	)
	if !slices.EqualFunc(got, want, func(a, b series) bool { return fmt.Sprint(a) == fmt.Sprint(b) }) {
		t.Errorf("read back\n%v, want\n%v", got, want)
	}
	only(t, file)
	if info, err := os.Stat(file); err != nil || runtime.GOOS != "windows" && info.Mode() != 0o644 {
		t.Errorf("%v, %v: another user's collector has to read it", info.Mode(), err)
	}
}

func TestUnknownMetricsAreLeftOut(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "runner.prom")
	m := sample()
	m.Since = time.Time{}
	if err := WriteMetrics(file, m); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"rss", "last_exit", "since"} {
		if strings.Contains(read(t, file), name) {
			t.Errorf("there is a family %q:\n%s", name, read(t, file))
		}
	}
}

func TestLabelsAreEscaped(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ value, want string }{
		"backslash":      {`a\nb`, `a\nb`},
		"quote":          {`a"} 1`, `a"} 1`},
		"newline":        {"a\nb 1", "a\nb 1"},
		"all":            {"\\\"\n,{}=", "\\\"\n,{}="},
		"beyond ASCII":   {"ä", "ä"},
		"not even UTF-8": {"a\xffb", "a\uFFFDb"},
		"empty":          {"", ""},
	} {
		file := filepath.Join(t.TempDir(), "runner.prom")
		m := sample()
		m.Runner, m.Scope, m.Version = c.value, c.value, c.value
		m.Jobs[c.value] = 3
		if err := WriteMetrics(file, m); err != nil {
			t.Fatal(err)
		}
		got, err := parse(read(t, file))
		if err != nil {
			t.Errorf("%s: %v\n%s", name, err, read(t, file))
			continue
		}
		if want := [][2]string{{"runner", c.want}, {"scope", c.want}, {"version", c.want}}; !slices.Equal(got[0].labels, want) {
			t.Errorf("%s: read back %q", name, got[0].labels)
		}
		if !slices.ContainsFunc(got, func(s series) bool {
			return s.name == "runner_bootstrap_jobs_total" && s.labels[2][1] == c.want && s.value == 3
		}) {
			t.Errorf("%s: the result was not read back", name)
		}
	}
}

func TestExactlyOneStateIsSet(t *testing.T) {
	t.Parallel()
	for _, state := range States() {
		m := sample()
		m.State = state
		all, err := parse(m.format())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range all {
			if s.name == "runner_bootstrap_state" && (s.value == 1) != (s.labels[2][1] == state) {
				t.Errorf("in state %s: %v", state, s)
			}
		}
	}
}

func TestAnUnknownStateLeavesTheFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "runner.prom")
	if err := WriteMetrics(file, sample()); err != nil {
		t.Fatal(err)
	}
	before := read(t, file)
	m := sample()
	m.State, m.Now = "sleeping", m.Now.Add(time.Minute)
	if err := WriteMetrics(file, m); !errors.Is(err, errState) || !strings.Contains(err.Error(), "sleeping") {
		t.Errorf("err = %v", err)
	}
	if read(t, file) != before {
		t.Error("the file was written")
	}
}

func TestOnlyWhatHasChangedIsWritten(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "runner.prom")
	long := time.Now().Add(-time.Hour)
	write := func(m Metrics) (written bool) {
		t.Helper()
		if err := WriteMetrics(file, m); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, long, long); err != nil {
			t.Fatal(err)
		}
		return time.Since(info.ModTime()) < 30*time.Minute
	}
	m := sample()
	if !write(m) {
		t.Error("the first was not written")
	}
	if write(m) {
		t.Error("written again though nothing has changed")
	}
	m.Now = m.Now.Add(time.Millisecond)
	if write(m) {
		t.Error("written again within the second")
	}
	m.Now = m.Now.Add(time.Second)
	if !write(m) {
		t.Error("the heartbeat was not written")
	}
	m.Starts = 3 // as many bytes
	if !write(m) {
		t.Error("a change that keeps the size was not written")
	}
	if runtime.GOOS == "windows" {
		return
	}
	if err := os.Chmod(file, 0o600); err != nil {
		t.Fatal(err)
	}
	if !write(m) {
		t.Error("a file that the collector cannot read was left so")
	}
	target := filepath.Join(t.TempDir(), "target")
	if err := os.Rename(file, target); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, file); err != nil {
		t.Fatal(err)
	}
	write(m)
	if info, err := os.Lstat(file); err != nil || !info.Mode().IsRegular() {
		t.Errorf("%v, %v: a link was left", info.Mode(), err)
	}
	only(t, file)
}

func TestReadersNeverSeeAPart(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("an open file cannot be replaced there")
	}
	file := filepath.Join(t.TempDir(), "runner.prom")
	if err := WriteMetrics(file, sample()); err != nil {
		t.Fatal(err)
	}
	stop, stopped := make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(stop)
		for i := range int64(300) {
			m := sample()
			m.Now, m.Starts = m.Now.Add(time.Duration(i)*time.Second), i
			if err := WriteMetrics(file, m); err != nil {
				stopped <- err
				return
			}
		}
		stopped <- nil
	}()
	reads := 0
	for done := false; !done; reads++ {
		select {
		case <-stop:
			done = true
		default:
		}
		if text, err := os.ReadFile(file); err != nil || !strings.Contains(string(text), "\nrunner_bootstrap_heartbeat_seconds{") {
			t.Fatalf("read %d: %v, %q", reads, err, text)
		}
		entries, err := os.ReadDir(filepath.Dir(file))
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			if name := entry.Name(); name != "runner.prom" && strings.HasSuffix(name, ".prom") {
				t.Fatalf("the collector would read %s", name)
			}
		}
	}
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	only(t, file)
}

func TestAFailureLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := filepath.Join(folder, "runner.prom")
	if err := os.MkdirAll(filepath.Join(file, "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := WriteMetrics(file, sample()); err == nil || !strings.HasPrefix(err.Error(), "writing metrics: ") {
		t.Errorf("over a folder: %v", err)
	}
	only(t, file)
	if err := RemoveMetrics(file); err == nil || !strings.HasPrefix(err.Error(), "removing metrics: ") {
		t.Errorf("removing a folder: %v", err)
	}
	if err := WriteMetrics(filepath.Join(folder, "none", "runner.prom"), sample()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("into no folder: %v", err)
	}
}

func TestRemoveMetrics(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := filepath.Join(folder, "a[b.prom")
	if err := WriteMetrics(file, sample()); err != nil {
		t.Fatal(err)
	}
	others := []string{
		".a[b.prom.x.7.tmp", ".a[b.prom..tmp", ".a[b.prom.7", ".a[c.prom.7.tmp", "a[b.prom.7.tmp", "7.tmp", "other.prom",
	}
	for _, name := range append([]string{".a[b.prom.123.tmp"}, others...) {
		if err := os.WriteFile(filepath.Join(folder, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := RemoveMetrics(file); err != nil {
			t.Errorf("RemoveMetrics: %v", err)
		}
		entries, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		var left []string
		for _, entry := range entries {
			left = append(left, entry.Name())
		}
		slices.Sort(others)
		if !slices.Equal(left, others) {
			t.Errorf("left: %q, want %q", left, others)
		}
	}
	if err := RemoveMetrics(filepath.Join(folder, "none", "x.prom")); err != nil {
		t.Errorf("of no folder: %v", err)
	}
}
