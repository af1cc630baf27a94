//go:build unix

package register

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/openfile"
)

// What cannot be removed is told, in vain or beside what went wrong before, and the next command goes on with it.
func TestRoomThatCannotBeRemoved(t *testing.T) {
	t.Parallel()
	stuck := errors.New("it is in use")
	var log bytes.Buffer
	r := scripted(t, "exit 0", slog.New(slog.NewTextHandler(&log, nil)))
	place := r.Place
	r.Discard = func(context.Context, string) error { return stuck }
	if err := r.try(t.Context()); !errors.Is(err, stuck) {
		t.Errorf("config.sh ended well: %v", err)
	}
	room := filepath.Join(r.Folders[0], strconv.Itoa(firstNumber))
	if _, err := os.Stat(room + lockMark); err != nil {
		t.Errorf("nothing says that it has to be removed: %v", err)
	}
	for name, again := range map[string]func() error{"a sweep": func() error { return r.Sweep(t.Context()) }, "the next one": func() error { return r.try(t.Context()) }} {
		if err := again(); !errors.Is(err, stuck) {
			t.Errorf("%s: %v", name, err)
		}
	}
	r.Discard = discard
	if err := r.Sweep(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(r.Folders[0]); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder of rooms is left: %v", err)
	}

	r.Discard = func(context.Context, string) error { return stuck }
	r.Place = func(ctx context.Context, dir string) error {
		return errors.Join(place(ctx, dir), os.WriteFile(filepath.Join(dir, "config.sh"), []byte("#!/bin/sh\nexit 1\n"), 0o755))
	}
	if err := r.try(t.Context()); !errors.Is(err, ErrUnknown) || errors.Is(err, stuck) || !strings.Contains(log.String(), stuck.Error()) {
		t.Errorf("config.sh failed: %v; the log is %s", err, log.String())
	}
	if err := os.RemoveAll(r.Folders[0]); err != nil {
		t.Fatal(err)
	}
}

// A command that is interrupted removes its room all the same.
func TestRoomOfTheInterrupted(t *testing.T) {
	t.Parallel()
	r := scripted(t, "echo x >begun; while :; do sleep 0.05; done", quiet())
	r.Discard = func(ctx context.Context, dir string) error { return errors.Join(ctx.Err(), discard(ctx, dir)) }
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := r.begins(ctx, t)
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := os.Lstat(r.Folders[0]); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder of rooms is left: %v", err)
	}
	why := errors.New("the user has had enough")
	over, end := context.WithCancelCause(t.Context())
	end(why)
	if err := r.try(over); !errors.Is(err, why) && !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted before: %v", err)
	}
}

// Rooms are swept wherever they may be, whatever the folder is called, and before another one is made.
func TestRoomsAreSwept(t *testing.T) {
	t.Parallel()
	base := open(t)
	r := scripted(t, "exit 0", quiet())
	r.Folders = []string{filepath.Join(base, "a [b] *?"), filepath.Join(base, "beside")}
	for name, sweep := range map[string]func() error{"a sweep": func() error { return r.Sweep(t.Context()) }, "another one": func() error { return r.try(t.Context()) }} {
		for _, folder := range r.Folders {
			put(t, folder, map[string]string{
				"61000" + lockMark: "", "61000/.credentials": "secret",
				"61000" + livesMark + "/probe-1/nothing": "", "61000" + livesMark + "/config-web-1/tmp/secret": "secret",
			})
		}
		if err := sweep(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, folder := range r.Folders {
			if entries, err := os.ReadDir(folder); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s leaves %v in %s, %v", name, entries, folder, err)
			}
		}
	}
}

// Nobody takes a lock under which config.sh works before it has ended: it is noted in each, and its room's.
func TestLocksKnowConfig(t *testing.T) {
	t.Parallel()
	lock, err := instance.NewStore(filepath.Join(t.TempDir(), "state")).LockHost(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	r := scripted(t, "echo x >begun; while :; do sleep 0.05; done", quiet())
	r.Locks = []*instance.Lock{lock}
	note := func(path string) string {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
		}
		return string(text)
	}
	before := note(lock.Path())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := r.begins(ctx, t)
	during := note(lock.Path())
	_, group, found := strings.Cut(during, strings.TrimSpace(before))
	if !found || strings.TrimSpace(group) == "" {
		t.Errorf("the lock says %q, before it said %q", during, before)
	}
	if room := note(filepath.Join(r.Folders[0], strconv.Itoa(firstNumber)+lockMark)); !strings.Contains(room, strings.TrimSpace(group)) {
		t.Errorf("the lock of the room says %q, the other one %q", room, during)
	}
	cancel()
	<-ended
	if after := note(lock.Path()); after != before {
		t.Errorf("afterwards the lock says %q, before it said %q", after, before)
	}
}

// As root config.sh cannot see what it has no business with, nor start as many processes as it likes.
func TestRoomIsBounded(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		r := scripted(t, `test "$(grep -c '^Max processes *`+strconv.Itoa(maxTasks)+` ' /proc/self/limits)" = 0`, quiet())
		if err := r.try(t.Context()); err != nil {
			t.Errorf("our other processes count: %v", err)
		}
		return
	}
	// Not in /tmp, which is one of its own anyway.
	hidden, err := os.MkdirTemp("/srv", "register") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(hidden) })
	put(t, hidden, map[string]string{"records/token": "secret"})
	if err := os.Chmod(hidden, 0o755); err != nil {
		t.Fatal(err)
	}
	r := scripted(t, `test ! -e `+hidden+`/records/token || { echo it sees what is hidden; exit 1; }
		grep -q '^Max processes *`+strconv.Itoa(maxTasks)+` ' /proc/self/limits || { grep '^Max proc' /proc/self/limits; exit 1; }`, quiet())
	r.Hidden = []string{filepath.Join(hidden, "records")}
	if err := r.try(t.Context()); err != nil {
		t.Error(err)
	}
}

// A place that cannot be had is not the last one that is tried, and an error that is none of the place's is told.
func TestRoomsElsewhere(t *testing.T) {
	t.Parallel()
	closed := filepath.Join(open(t), "closed")
	if err := os.Mkdir(closed, 0o500); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(open(t), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r := scripted(t, "exit 0", quiet())
	good := r.Folders[0]
	for name, c := range map[string]struct {
		first string
		want  error
	}{
		"no permission":  {filepath.Join(closed, "rooms"), nil},
		"no such system": {"/sys/register", nil},
		"not a folder":   {filepath.Join(file, "rooms"), syscall.ENOTDIR},
	} {
		r.Folders = []string{c.first, good}
		if err := r.try(t.Context()); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// A number that an account or a group of this host has is nobody's else.
func TestTaken(t *testing.T) {
	t.Parallel()
	numbers := func(file string) (all []int) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if fields := strings.Split(line, ":"); len(fields) > 2 {
				number, err := strconv.Atoi(fields[2])
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, number)
			}
		}
		return all
	}
	accounts, groups := numbers("/etc/passwd"), numbers("/etc/group")
	var accountAlone, groupAlone bool
	for number := range 65535 {
		account, group := slices.Contains(accounts, number), slices.Contains(groups, number)
		accountAlone, groupAlone = accountAlone || account && !group, groupAlone || group && !account
		if !account && !group && number < firstNumber {
			continue // a lookup each, for thousands
		}
		if number > firstNumber+3 && !account && !group {
			break
		}
		if got := taken(number); got != (account || group) {
			if _, err := user.LookupId(strconv.Itoa(number)); err == nil {
				continue // a directory's
			}
			t.Errorf("%d is taken: %t; an account: %t, a group: %t", number, got, account, group)
		}
	}
	if !accountAlone || !groupAlone {
		t.Logf("this host has an account without a group of its number: %t, a group without an account: %t", accountAlone, groupAlone)
	}
}

// What cannot be copied of the certificates is left as it was told, for config.sh to say what it lacks; what is no list of
// authorities is an error.
func TestRoomThatCannotTrust(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("without root nothing is copied")
	}
	dir := open(t)
	large := filepath.Join(dir, "large")
	if err := errors.Join(os.WriteFile(large, nil, 0o600), os.Truncate(large, maxTrust+1)); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		environment []string
		script      string
		want        error
	}{
		"no file":      {[]string{"SSL_CERT_FILE=" + dir + "/none"}, `test "$SSL_CERT_FILE" = ` + dir + `/none`, nil},
		"a folder":     {[]string{"SSL_CERT_FILE=" + dir}, `test "$SSL_CERT_FILE" = ` + dir, nil},
		"no folder":    {[]string{"SSL_CERT_DIR=" + dir + "/none"}, `test "$SSL_CERT_DIR" = ` + dir + `/none`, nil},
		"empty":        {[]string{"SSL_CERT_FILE=", "SSL_CERT_DIR="}, `test "${SSL_CERT_FILE-unset}" = "" && test "${SSL_CERT_DIR-unset}" = ""`, nil},
		"not for file": {[]string{"SSL_CERT_FILE=" + large}, "exit 0", &openfile.LargeError{Limit: maxTrust}},
	} {
		r := scripted(t, c.script, quiet())
		r.Environment = c.environment
		err := r.try(t.Context())
		var large *openfile.LargeError
		if c.want == nil && err != nil || c.want != nil && !errors.As(err, &large) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// One that ends well just when it is interrupted has done its work.
func TestInterruptedAtItsEnd(t *testing.T) {
	t.Parallel()
	r := scripted(t, `trap "exit 0" INT
		sleep 0.5 # one that is still being started is not asked
		echo x >begun
		while :; do sleep 0.05; done`, quiet())
	r.grace = 20 * time.Second
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := r.begins(ctx, t)
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("it has ended well, and is %v", err)
	}
}
