package instance

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

type secret string

func (s secret) Reveal() string { return string(s) }

func saved(t *testing.T, name string) *Store {
	t.Helper()
	s := NewStore(filepath.Join(t.TempDir(), "state"))
	if err := s.Save(Record{Name: name}); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestDuration(t *testing.T) {
	t.Parallel()
	want := Life{DrainTimeout: Duration(5 * time.Minute), OnExit: "poweroff"}
	text, err := json.Marshal(want)
	if err != nil || !strings.Contains(string(text), `"drain_timeout":"5m0s"`) || strings.Contains(string(text), "max_idle") {
		t.Fatalf("%s, %v", text, err)
	}
	var got Life
	if err := json.Unmarshal(text, &got); err != nil || got.DrainTimeout != want.DrainTimeout {
		t.Errorf("%+v, %v", got, err)
	}
	if err := json.Unmarshal([]byte(`{"drain_timeout":"soon"}`), &got); err == nil {
		t.Error("soon is a duration")
	}
}

func TestKeptCredential(t *testing.T) {
	t.Parallel()
	s := saved(t, "web-1")
	if _, err := s.KeptCredential("web-1"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("before anything is kept: %v", err)
	}
	for _, value := range []string{"first", "second"} {
		if err := s.KeepCredential("web-1", secret(value)); err != nil {
			t.Fatal(err)
		}
		if got, err := s.KeptCredential("web-1"); got != value || err != nil {
			t.Errorf("kept %q, %v", got, err)
		}
	}
	info, err := os.Stat(filepath.Join(s.home("web-1"), credentialFile))
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	for range 2 {
		if err := s.DropCredential("web-1"); err != nil {
			t.Error(err)
		}
	}
	if got, err := s.KeptCredential("web-1"); err == nil {
		t.Errorf("dropped, it is %q", got)
	}
	if err := s.KeepCredential("web-2", secret("x")); err == nil {
		t.Error("it is kept for a runner that is not there")
	}
}

func TestKeptVariables(t *testing.T) {
	t.Parallel()
	s := saved(t, "web-1")
	if got, err := s.KeptVariables("web-1"); len(got) != 0 || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if err := s.KeepVariables("web-1", []string{"A=b c", "D=\"e\""}); err != nil {
		t.Fatal(err)
	}
	if got, err := s.KeptVariables("web-1"); len(got) != 2 || got[1] != `D="e"` || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if err := os.WriteFile(filepath.Join(s.home("web-1"), variablesFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.KeptVariables("web-1"); err == nil || !strings.Contains(err.Error(), `"web-1"`) {
		t.Errorf("garbage: %v", err)
	}
}

// What two processes change at the same time is there in the end.
func TestUpdate(t *testing.T) {
	t.Parallel()
	s := saved(t, "web-1")
	var all sync.WaitGroup
	for id := range int64(20) {
		all.Go(func() {
			if _, err := s.Update(t.Context(), "web-1", func(r *Record) { r.PendingDeletes = append(r.PendingDeletes, id) }); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	record, err := s.Load("web-1")
	if err != nil || len(record.PendingDeletes) != 20 {
		t.Errorf("of 20 changes %d are there: %v", len(record.PendingDeletes), err)
	}
	if _, err := s.Update(t.Context(), "web-2", func(*Record) {}); err == nil {
		t.Error("a record that is not there was changed")
	}
}

func TestLockRegistration(t *testing.T) {
	t.Parallel()
	s := saved(t, "web-1")
	first, err := s.LockRegistration(t.Context(), "web-1")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
	defer cancel()
	if _, err := s.LockRegistration(ctx, "web-1"); !errors.Is(err, ErrLocked) {
		t.Errorf("while it is held: %v", err)
	}
	released := time.AfterFunc(150*time.Millisecond, first.Release)
	defer released.Stop()
	second, err := s.LockRegistration(t.Context(), "web-1")
	if err != nil {
		t.Fatalf("it was not waited for: %v", err)
	}
	second.Release()
}

// A killed process may have left what it was about to rename: it holds a token.
func TestLeftoversAreSwept(t *testing.T) {
	t.Parallel()
	s := saved(t, "web-1")
	old, fresh := filepath.Join(s.dir, partPrefix+"1"), filepath.Join(s.dir, partPrefix+"2")
	future := filepath.Join(s.dir, partPrefix+"3")
	for _, file := range []string{old, fresh, future} {
		if err := os.WriteFile(file, []byte("token"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	before := time.Now().Add(-2 * forgotten)
	if err := os.Chtimes(old, before, before); err != nil {
		t.Fatal(err)
	}
	after := time.Now().Add(25 * time.Hour) // the clock was set back
	if err := os.Chtimes(future, after, after); err != nil {
		t.Fatal(err)
	}
	lock, err := s.LockHost(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	lock.Release()
	if _, err := os.Stat(future); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what is from a time to come is still there: %v", err)
	}
	if _, err := os.Stat(old); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
	if _, err := os.Stat(fresh); err != nil {
		t.Errorf("somebody is about to rename it: %v", err)
	}
	s.DropTokens()
	if _, err := os.Stat(fresh); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("with nothing remembered it is still there: %v", err)
	}
}

// A power cut may leave a report without content: nothing is known then, and that
// is no error.
func TestReportAfterAPowerCut(t *testing.T) {
	t.Parallel()
	s := saved(t, "web-1")
	if err := s.SaveReport("web-1", Report{State: Idle, Starts: 3}); err != nil {
		t.Fatal(err)
	}
	if got, err := s.LoadReport("web-1"); err != nil || got.State != Idle || got.Starts != 3 {
		t.Errorf("%+v, %v", got, err)
	}
	if err := os.Truncate(filepath.Join(s.home("web-1"), reportFile), 0); err != nil {
		t.Fatal(err)
	}
	if got, err := s.LoadReport("web-1"); err != nil || got != (Report{}) {
		t.Errorf("%+v, %v", got, err)
	}
}
