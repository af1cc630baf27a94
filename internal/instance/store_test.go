package instance

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

func newStore(t *testing.T) *Store {
	t.Helper()
	return NewStore(filepath.Join(t.TempDir(), "state"))
}

func aRecord(name string) Record {
	return Record{
		Name: name, Template: "{hostname}", ScopeURL: "https://github.com/octo-org", APIURL: "https://api.github.com",
		Dir: "/opt/actions-runner/" + name, User: "runner",
		Origin: Origin{Version: "2.337.0", SHA256: "00ff"}, Registration: Registration{RunnerID: 7},
		Service: "actions.runner.octo-org." + name, Phase: Installed,
		Identity: Identity{Labels: []string{"a", "b"}, NoDefaultLabels: true, Group: "g", Work: "_w", Ephemeral: true, DisableUpdate: true},
	}
}

// same compares records but for what Save fills in.
func same(a, b Record) bool {
	a.Schema, b.Schema = 0, 0
	a.Created, b.Created, a.Updated, b.Updated = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	return fmt.Sprintf("%#v", a) == fmt.Sprintf("%#v", b)
}

func TestRecordsAreKept(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	want := aRecord("web-1")
	if err := s.Save(want); err != nil {
		t.Fatal(err)
	}
	got, err := s.Load("web-1")
	if err != nil || !same(got, want) || got.Schema != 1 || got.Created.IsZero() || got.Updated != got.Created {
		t.Fatalf("%+v, %v, want %+v", got, err, want)
	}
	got.Created, got.Phase = got.Created.Add(-time.Hour), Removing
	if err := s.Save(got); err != nil {
		t.Fatal(err)
	}
	again, err := s.Load("web-1")
	if err != nil || again.Phase != Removing || !again.Created.Equal(got.Created) || !again.Updated.After(again.Created) {
		t.Errorf("saved again it is %+v, %v", again, err)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	for name, ok := range map[string]bool{
		"web-1": true, "a": true, "_a": true, "1": true, "A.b_c-d": true, "a..b": true, strings.Repeat("x", MaxName): true,
		"": false, ".": false, "..": false, ".hidden": false, "-option": false, "a/b": false, "../a": false, `a\b`: false, "a b": false,
		"a\n": false, "a\x00": false, "ä": false, "a%b": false, "a@b": false, "a:b": false, strings.Repeat("x", MaxName+1): false,
		"a.": runtime.GOOS != "windows", "CON": runtime.GOOS != "windows", "nul.txt": runtime.GOOS != "windows", "lpt1": runtime.GOOS != "windows",
		"console": true, "com10": true, "a.con": true,
	} {
		if err := CheckName(name); (err == nil) != ok || err != nil && !errors.Is(err, ErrName) {
			t.Errorf("%q: %v", name, err)
		}
		if ok {
			continue
		}
		_, loadErr := s.Load(name)
		for what, err := range map[string]error{"loading": loadErr, "saving": s.Save(Record{Name: name}), "forgetting": s.Forget(name)} {
			if !errors.Is(err, ErrName) {
				t.Errorf("%s %q: %v, want ErrName", what, name, err)
			}
		}
	}
}

func TestRecordsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, says string }{
		{"newer", `{"schema":2,"name":"web-1"}`, "a newer runner-bootstrap"},
		{"of another kind", `{"name":"web-1"}`, "not the record of"},
		{"of another runner", `{"schema":1,"name":"web-2"}`, "not the record of"},
		{"cut", `{"schema":1,"na`, "unexpected end"},
		{"empty", ``, "unexpected end"},
		{"a list", `[]`, "cannot unmarshal"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			if err := s.Save(aRecord("web-1")); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(s.home("web-1"), recordFile)
			if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			for what, err := range map[string]error{"Load": second(s.Load("web-1")), "List": second(s.List())} {
				if err == nil || errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), strconv.Quote(file)) {
					t.Errorf("%s: %v, want %q and the file", what, err, c.says)
				}
			}
		})
	}
}

func second[T any](_ T, err error) error { return err }

func TestList(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	if got, err := s.List(); err != nil || len(got) != 0 {
		t.Errorf("of no store: %v, %v", got, err)
	}
	for _, name := range []string{"web-2", "web-10", "api"} {
		if err := s.Save(aRecord(name)); err != nil {
			t.Fatal(err)
		}
	}
	// Half made, half removed, and not ours.
	for _, dir := range []string{"half", "lost+found", ".hidden"} {
		if err := os.Mkdir(filepath.Join(filepath.Join(s.dir, homes), dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{".DS_Store", "file", "half/" + runLock} {
		if err := os.WriteFile(filepath.Join(filepath.Join(s.dir, homes), file), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	records, err := s.List()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, record := range records {
		names = append(names, record.Name)
	}
	if want := []string{"api", "web-10", "web-2"}; !slices.Equal(names, want) {
		t.Errorf("listed %q, want %q", names, want)
	}
}

func TestForget(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	for _, name := range []string{"web-1", "web-2"} {
		if err := s.Save(aRecord(name)); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := s.Forget("web-1"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Load("web-1"); !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), `"web-1"`) {
			t.Errorf("forgotten it is %v", err)
		}
	}
	if _, err := s.Load("web-2"); err != nil {
		t.Errorf("the other one: %v", err)
	}
	if err := s.Forget("web-2"); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(s.dir); err != nil || len(left) != 0 {
		t.Errorf("left in the store: %v, %v", left, err)
	}
}

// A crash between writing the new record and putting it in its place leaves the
// old one, and something that nobody mistakes for a record.
func TestCrashBeforeTheRename(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	want := aRecord("web-1")
	if err := s.Save(want); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.home("web-1"), ".new-123"), []byte(`{"schema":1,"na`), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Load("web-1"); err != nil || !same(got, want) {
		t.Errorf("%+v, %v, want the old one", got, err)
	}
	if got, err := s.List(); err != nil || len(got) != 1 {
		t.Errorf("listed %v, %v", got, err)
	}
	if err := s.Forget("web-1"); err != nil {
		t.Error(err)
	}
}

func TestFailedSaveLeavesNothing(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	if err := os.MkdirAll(filepath.Join(s.home("web-1"), recordFile), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := s.Save(aRecord("web-1")); err == nil || !strings.Contains(err.Error(), "saving record") {
		t.Errorf("a directory was replaced: %v", err)
	}
	if entries, err := os.ReadDir(s.home("web-1")); err != nil || len(entries) != 1 {
		t.Errorf("left: %v, %v", entries, err)
	}
	blocked := NewStore(filepath.Join(s.dir, "file", "state"))
	if err := os.WriteFile(filepath.Join(s.dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, lockErr := blocked.LockHost(t.Context())
	for what, err := range map[string]error{"saving": blocked.Save(aRecord("web-1")), "listing": second(blocked.List()), "locking": lockErr} {
		// Windows says that such a folder is not there, and no more.
		if err == nil && (runtime.GOOS != "windows" || what != "listing") {
			t.Errorf("%s below a file was possible", what)
		}
	}
}

func TestReports(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	if got, err := s.LoadReport("web-1"); err != nil || got != (Report{}) {
		t.Errorf("of nobody: %+v, %v", got, err)
	}
	if err := s.SaveReport("web-1", Report{}); err == nil {
		t.Error("a report without a record was saved")
	}
	if err := s.Save(aRecord("web-1")); err != nil {
		t.Fatal(err)
	}
	code := 143
	want := Report{State: Ended, Since: time.Now().UTC(), PID: 7, Version: "2.337.0", Job: "build", ExitCode: &code, Reason: "stopped", Starts: 3}
	if err := s.SaveReport("web-1", want); err != nil {
		t.Fatal(err)
	}
	got, err := s.LoadReport("web-1")
	if err != nil || got.ExitCode == nil || *got.ExitCode != code || !got.Since.Equal(want.Since) {
		t.Fatalf("%+v, %v", got, err)
	}
	got.ExitCode, got.Since = want.ExitCode, want.Since
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if err := os.WriteFile(filepath.Join(s.home("web-1"), reportFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.LoadReport("web-1"); err == nil || !strings.Contains(err.Error(), `"web-1"`) {
		t.Errorf("a report that is cut: %v", err)
	}
}

// A supervisor saves reports while everybody else saves records.
func TestSavingAtTheSameTime(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	if err := s.Save(aRecord("web-1")); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for n := range 4 {
		all.Go(func() {
			for i := range 10 {
				record := aRecord("web-1")
				record.Version, record.SHA256 = strings.Repeat(string(rune('a'+n)), 500), strings.Repeat(string(rune('a'+n)), 900)
				if err := errors.Join(s.Save(record), s.SaveReport("web-1", Report{State: Busy, Starts: i})); err != nil {
					t.Error(err)
				}
				got, err := s.Load("web-1")
				if err != nil || got.Version[0] != got.SHA256[0] {
					t.Errorf("half of one and half of another: %+v, %v", got, err)
				}
			}
		})
	}
	all.Wait()
	if entries, err := os.ReadDir(s.home("web-1")); err != nil || len(entries) != 2 {
		t.Errorf("left: %v, %v", entries, err)
	}
}

func TestDiffers(t *testing.T) {
	t.Parallel()
	base := aRecord("web-1").Identity
	for want, change := range map[string]func(*Identity){
		"":                  func(*Identity) {},
		"labels":            func(i *Identity) { i.Labels = []string{"a", "c"} },
		"no-default-labels": func(i *Identity) { i.NoDefaultLabels = false },
		"runnergroup":       func(i *Identity) { i.Group = "" },
		"work":              func(i *Identity) { i.Work = "_x" },
		"ephemeral":         func(i *Identity) { i.Ephemeral = false },
		"disableupdate":     func(i *Identity) { i.DisableUpdate = false },
		"labels, runnergroup, work": func(i *Identity) {
			i.Labels, i.Group, i.Work = nil, "x", "x"
		},
	} {
		other := base
		change(&other)
		if got := strings.Join(base.Differs(other), ", "); got != want {
			t.Errorf("differs in %q, want %q", got, want)
		}
	}
}

// TestDiffersByWhatGitHubTellsApart: a runner is not taken away to be registered with the same labels in another order.
func TestDiffersByWhatGitHubTellsApart(t *testing.T) {
	t.Parallel()
	base := Identity{Labels: []string{"gpu", "big"}, Group: "Builders"}
	for _, same := range []Identity{
		{Labels: []string{"big", "gpu"}, Group: "Builders"},
		{Labels: []string{"GPU", "big", "gpu"}, Group: "builders"},
		{Labels: []string{" gpu ", "big"}, Group: "BUILDERS"},
	} {
		if got := base.Differs(same); len(got) > 0 {
			t.Errorf("%+v differs in %q", same, got)
		}
	}
	for _, other := range [][]string{{"gpu"}, {"gpu", "big", "arm"}, {"gpu", "bigger"}} {
		if SameLabels(base.Labels, other) {
			t.Errorf("%q are taken for the same", other)
		}
	}
}

func TestPaths(t *testing.T) {
	t.Parallel()
	p := DefaultPaths(filepath.FromSlash("/srv/ci"))
	for got, want := range map[string]string{
		p.Config: "/srv/ci/config.yaml", p.State: "/srv/ci/state", p.Cache: "/srv/ci/cache", p.Root("web-1"): "/srv/ci/runners/web-1",
	} {
		if got != filepath.FromSlash(want) {
			t.Errorf("%s, want %s", got, want)
		}
	}
	p = DefaultPaths("")
	for _, path := range []string{p.Config, p.State, p.Cache, p.Runners} {
		if !filepath.IsAbs(path) {
			t.Errorf("%q is not absolute", path)
		}
	}
}

// A record keeps the words in which it was written before their names in this program changed.
func TestRecordsOfEarlierVersionsAreRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	home := filepath.Join(dir, "instances", "web-1")
	if err := os.MkdirAll(home, 0o700); err != nil {
		t.Fatal(err)
	}
	text := `{"schema":1,"name":"web-1","template":"web-1","index":2,"scope_url":"https://github.com/octo-org","api_url":"https://api.github.com",
		"dir":"/opt/web-1","user":"runner","identity":{"labels":["z-{zone}"],"no_default_labels":true,"runner_group":"g","work":"_w",
		"ephemeral":true,"jit":true,"disable_update":true},"given_labels":["z-a"],"life":{"max_jobs":3},"credential":{"kept":true},
		"environment":["A=1"],"source":{"pinned":true},"version":"2.337.0","sha256":"ab","runner_id":7,"brought":true,"renewing":true,
		"owed":[5,6],"before":[4],"service":"s","phase":"installed"}`
	if err := os.WriteFile(filepath.Join(home, recordFile), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := NewStore(dir).Load("web-1")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(r.PendingDeletes, []int64{5, 6}) || !r.PreRegistered || !slices.Equal(r.EffectiveLabels(), []string{"z-a"}) {
		t.Errorf("what GitHub may list: %v, registered elsewhere: %t, labels %q", r.PendingDeletes, r.PreRegistered, r.EffectiveLabels())
	}
	if r.RunnerID != 7 || !r.Renewing || !slices.Equal(r.Before, []int64{4}) || r.Dir != "/opt/web-1" || r.Version != "2.337.0" || r.SHA256 != "ab" {
		t.Errorf("%+v", r)
	}
	if want := (Identity{[]string{"z-{zone}"}, true, "g", "_w", true, true, true}); !reflect.DeepEqual(r.Identity, want) {
		t.Errorf("%+v", r.Identity)
	}
}

// What is grouped in this program is flat in the file: scripts and earlier versions read it so.
func TestReportIsWrittenFlat(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	if err := s.Save(aRecord("web-1")); err != nil {
		t.Fatal(err)
	}
	process := ListenerProcess{ListenerPID: 1, ListenerStart: 2, Boot: "b"}
	report := Report{State: Busy, JobCounts: JobCounts{Succeeded: 3}, ListenerProcess: process, Connection: Connection{TroubleWords: "w"}}
	if err := s.SaveReport("web-1", report); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(s.home("web-1"), reportFile))
	for _, want := range []string{`"state":"busy"`, `"jobs_succeeded":3`, `"listener_pid":1`, `"listener_start":2`, `"boot":"b"`, `"trouble_words":"w"`} {
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s, %v: without %s", text, err, want)
		}
	}
	if got, err := s.LoadReport("web-1"); err != nil || got.State != Busy || got.ListenerProcess != process || got.Succeeded != 3 {
		t.Errorf("read as %+v, %v", got, err)
	}
}

// A lock that is removed leaves none of the folders that were made for it, and all that were there or hold something.
func TestRemovedLockLeavesNoFolders(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := NewStore(filepath.Join(dir, "new", "and new", "state"))
	for _, kept := range []string{"", filepath.Join(dir, "new", "something")} {
		lock, err := s.LockHost(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if kept != "" {
			if err := os.WriteFile(kept, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		lock.Remove()
		if _, err := os.Stat(filepath.Join(dir, "new", "and new")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a folder is left: %v", err)
		}
		if _, err := os.Stat(filepath.Join(dir, "new")); (err == nil) != (kept != "") {
			t.Errorf("with %q in it: %v", kept, err)
		}
	}
	if _, err := os.Stat(dir); err != nil {
		t.Error(err)
	}
}
