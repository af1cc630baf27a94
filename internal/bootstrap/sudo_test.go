//go:build unix

package bootstrap

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/startup"
)

const (
	sudoRunner = "web-1"
	sudoFile   = "/etc/sudoers.d/runner-bootstrap-jobs"
)

var errSudo = errors.New("sudo does not take it")

// fakeRule is a rule that no sudo reads. It sees what the record says at the moment that it is written.
type fakeRule struct {
	store    *instance.Store
	accounts []string // whose rule was asked for
	there    bool
	changed  bool // by somebody
	refuses  error
	noted    string // in the record, when it was written
}

func (f *fakeRule) of(account string) sudoRule {
	f.accounts = append(f.accounts, account)
	return f
}

func (f *fakeRule) Write(context.Context) error {
	record, err := f.store.Load(sudoRunner)
	f.noted, f.there = record.SudoRule, f.refuses == nil
	return errors.Join(err, f.refuses)
}

func (f *fakeRule) Remove() (left bool, err error) {
	if f.changed {
		return true, nil
	}
	f.there = f.there && f.refuses != nil
	return false, f.refuses
}

// sudoHost is an install that has come to the sudo phase, whose plan is that jobs have sudo, or no longer.
func sudoHost(t *testing.T, found string, allow ...string) (*installer, *fakeRule, *bytes.Buffer) {
	t.Helper()
	store := instance.NewStore(filepath.Join(t.TempDir(), "state"))
	lock, err := store.LockHost(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(lock.Release)
	record := instance.Record{Name: sudoRunner, User: "jobs", Service: "web", Phase: instance.Registered}
	record.SudoRule = found
	if err := store.Save(record); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	i := &installer{
		host: &Host{Store: store, Log: slog.New(slog.NewTextHandler(&said, nil))}, plan: &plan.Plan{Name: sudoRunner, User: "jobs"},
		details: plan.Details{Found: record}, record: record,
		former: startup.Former{Store: store, Log: slog.New(slog.DiscardHandler), Record: record},
	}
	i.record.Allow, i.record.SudoRule = allow, sudoFile // as the plan leaves it
	return i, &fakeRule{store: store, there: found != ""}, &said
}

// noted is what the record says of the rule.
func noted(t *testing.T, i *installer) string {
	t.Helper()
	record, err := i.host.Store.Load(sudoRunner)
	if err != nil {
		t.Fatal(err)
	}
	return record.SudoRule
}

// A rule is announced before it is there, and goes again with the service that ran without it. One that was there stays.
func TestSudoIsGiven(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]string{"for the first time": "", "again": sudoFile} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i, rule, _ := sudoHost(t, before, plan.AllowSudo)
			result, err := setSudo(t.Context(), i, rule.of)
			if err != nil || result != "account jobs may run everything as root" || !rule.there || rule.noted != sudoFile || noted(t, i) != sudoFile {
				t.Fatalf("%q, %v; the rule is %+v, the record says %q", result, err, rule, noted(t, i))
			}
			// The service does not come up: what it ran without before goes.
			var left *startup.LeftError
			if err := i.former.PutBack(t.Context(), nil, false, nil, errSudo); !errors.As(err, &left) || left.Left != "its unit is as before" {
				t.Errorf("putting back: %v", err)
			}
			if rule.there != (before != "") || noted(t, i) != before {
				t.Errorf("the rule is there: %v, the record says %q", rule.there, noted(t, i))
			}
			if slices.ContainsFunc(rule.accounts, func(account string) bool { return account != "jobs" }) {
				t.Errorf("rules were asked for of %q", rule.accounts)
			}
		})
	}
}

// What cannot be undone is said, with what failed first.
func TestSudoIsNotTakenBack(t *testing.T) {
	t.Parallel()
	i, rule, _ := sudoHost(t, "", plan.AllowSudo)
	if _, err := setSudo(t.Context(), i, rule.of); err != nil {
		t.Fatal(err)
	}
	rule.refuses = errSudo
	err := i.former.PutBack(t.Context(), nil, false, nil, errors.New("it does not come up"))
	if err == nil || !strings.Contains(err.Error(), "it does not come up; ") || !strings.Contains(err.Error(), "could not be: "+errSudo.Error()) {
		t.Errorf("putting back: %v", err)
	}
	if noted(t, i) != sudoFile {
		t.Error("the record has forgotten a rule that is there")
	}
}

// A rule that sudo refuses leaves the record as it was, also when it is the time given that is over.
func TestSudoIsRefused(t *testing.T) {
	t.Parallel()
	i, rule, _ := sudoHost(t, "", plan.AllowSudo)
	rule.refuses = errSudo
	if _, err := setSudo(t.Context(), i, rule.of); !errors.Is(err, errSudo) {
		t.Errorf("error %v", err)
	}
	if rule.noted != sudoFile || noted(t, i) != "" || i.record.SudoRule != "" {
		t.Errorf("the record said %q, says %q", rule.noted, noted(t, i))
	}
}

// What the record cannot announce is not done.
func TestSudoIsNotAnnounced(t *testing.T) {
	t.Parallel()
	i, rule, _ := sudoHost(t, "", plan.AllowSudo)
	if err := i.host.Store.Forget(sudoRunner); err != nil {
		t.Fatal(err)
	}
	if _, err := setSudo(t.Context(), i, rule.of); !errors.Is(err, fs.ErrNotExist) || rule.there {
		t.Errorf("error %v, the rule is there: %v", err, rule.there)
	}
}

// A rule goes with the last runner whose jobs need it, unless somebody has changed it.
func TestSudoIsTakenAway(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		set    func(t *testing.T, i *installer, rule *fakeRule)
		result string
		reason error
		there  bool
		says   string
	}{
		"the last": {nil, "removed", nil, false, ""},
		"shared": {func(t *testing.T, i *installer, _ *fakeRule) {
			t.Helper()
			other := i.record
			other.Name = "web-2"
			if err := i.host.Store.Save(other); err != nil {
				t.Fatal(err)
			}
		}, "left to runner web-2", nil, true, ""},
		"changed": {func(_ *testing.T, _ *installer, rule *fakeRule) { rule.changed = true }, "left, since somebody has changed it", nil, true, sudoFile},
		"stuck":   {func(_ *testing.T, _ *installer, rule *fakeRule) { rule.refuses = errSudo }, "", errSudo, true, ""},
		"none": {func(_ *testing.T, i *installer, rule *fakeRule) {
			i.record.SudoRule, rule.refuses = "", errSudo // nobody is to try
		}, "", nil, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i, rule, said := sudoHost(t, sudoFile)
			if c.set != nil {
				c.set(t, i, rule)
			}
			result, err := setSudo(t.Context(), i, rule.of)
			if result != c.result || !errors.Is(err, c.reason) || rule.there != c.there || !strings.Contains(said.String(), c.says) {
				t.Errorf("%q, %v; the rule is there: %v; said %q", result, err, rule.there, said)
			}
			if forgotten := noted(t, i) == ""; forgotten == (c.reason != nil) {
				t.Errorf("the record says %q", noted(t, i))
			}
		})
	}
}
