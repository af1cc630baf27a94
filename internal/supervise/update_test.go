package supervise

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestUpdateOver(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, c := range []struct {
		name, file string
		age        time.Duration
		want       bool
	}{
		{"no sign", "", 0, false},
		{"the flag", updateFlag, time.Hour, true}, // cleared before each start, so it is new
		{"it succeeded", "_diag/SelfUpdate-20260101-000000.log.succeed", -time.Second, true},
		{"it failed", "_diag/SelfUpdate-20260101-000000.log.failed", -time.Second, true},
		{"it goes on", "_diag/SelfUpdate-20260101-000000.log", -time.Second, false},
		{"an earlier one succeeded", "_diag/SelfUpdate-20260101-000000.log.succeed", time.Minute, false},
		{"another log", "_diag/Runner_20260101-000000.log.succeed", -time.Second, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			if c.file != "" {
				file := filepath.Join(root, c.file)
				write(t, file, "")
				if err := os.Chtimes(file, time.Time{}, now.Add(-c.age)); err != nil {
					t.Fatal(err)
				}
			}
			if got := updateOver(root, now); got != c.want {
				t.Errorf("over: %t", got)
			}
		})
	}
}

func TestAwaitUpdate(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	if awaitUpdate(t.Context(), root, time.Now(), 10*time.Millisecond, nil) {
		t.Error("it is over without a sign")
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	if awaitUpdate(ctx, root, time.Now(), time.Hour, nil) {
		t.Error("it is over with the context")
	}
	gone := make(chan struct{})
	time.AfterFunc(10*time.Millisecond, func() { close(gone) })
	if awaitUpdate(t.Context(), root, time.Now(), time.Hour, gone) {
		t.Error("it is over, and nobody was left to say so")
	}
	time.AfterFunc(50*time.Millisecond, func() { write(t, filepath.Join(root, updateFlag), "") })
	if !awaitUpdate(t.Context(), root, time.Now(), time.Minute, nil) {
		t.Error("the sign is not seen")
	}
	clearUpdate(root)
	if _, err := os.Lstat(filepath.Join(root, updateFlag)); !os.IsNotExist(err) {
		t.Errorf("the sign is still there: %v", err)
	}
	clearUpdate(root)
	clearUpdate(filepath.Join(root, "none"))
}

func TestCheckListener(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for _, dir := range []string{filepath.Join(root, "none"), root} {
		if err := CheckListener(dir); err == nil {
			t.Errorf("%s has a listener", dir)
		}
	}
	write(t, filepath.Join(root, "bin", listenerName), "")
	if err := CheckListener(root); err != nil {
		t.Error(err)
	}
	updated := t.TempDir()
	if err := os.Symlink(filepath.Join(root, "bin"), filepath.Join(updated, "bin")); err != nil {
		t.Fatal(err)
	}
	if err := CheckListener(updated); err != nil {
		t.Errorf("after a self-update: %v", err)
	}
}
