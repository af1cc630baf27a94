package register

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/jail"
	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
)

// Room is where the runner's own program, config.sh, speaks to GitHub: a folder that is
// made for one run of it and removed after that, with a copy of the runner that nobody but
// root could have changed, as an account that owns nothing else on this host.
// The tokens that it gets can do much, so nothing of a job's has a part in it.
//
// Without root the account is that of this process: its jobs could have changed the
// cache, and see what it does.
type Room struct {
	Copies
	// Hidden are folders that config.sh has no business with.
	Hidden []string
	// Environment is added to that of config.sh: proxies, certificates.
	Environment []string
	// Locks are those under which config.sh works: nobody takes them before it has ended,
	// also where this process is killed.
	Locks []*instance.Lock
	// Maker starts config.sh, under Life as its name; nil: the strongest that this process is by itself.
	Maker jail.Maker
	Life  string
	Log   *slog.Logger
	// Later does something that nothing waits for, once config.sh has ended well; nil does it at once.
	Later func(what func())

	prepared *preparation // nil: it is made when it is needed

	grace    time.Duration // zero is defaultGrace
	patience time.Duration // zero is defaultPatience
}

// Copies are where a room's copy of the runner comes from.
type Copies struct {
	// Folders are where rooms may be: the first one that can be written to and start programs counts. That is on the cache's file
	// system, so that a copy may share its files.
	Folders []string
	// Place puts a runner as it was verified at dir, which is not there yet, as files of this
	// process's. nil: there is none.
	Place func(ctx context.Context, dir string) error
	// Discard removes what Place has put at dir, and what was put there beside it. It may be repeated.
	Discard func(ctx context.Context, dir string) error
}

// RoomsOf are the folders of rooms: in a cache, or beside the runners where that cannot be
// written to, as in a read-only image, or starts no programs.
func RoomsOf(cache, runners string) []string {
	return []string{filepath.Join(cache, "register"), filepath.Join(runners, ".register")}
}

// NewRoom is a room for a record's runner. Environment ("KEY=VALUE") is how this process
// reaches the network.
func NewRoom(
	store *instance.Store, record instance.Record, copies Copies, environment []string, log *slog.Logger, locks ...*instance.Lock,
) Room {
	records := filepath.Dir(filepath.Dir(instance.KeptRegistration(store, record.Name).Folder()))
	return Room{
		Copies: copies, Hidden: []string{records, filepath.Dir(record.Dir)}, Locks: locks, Life: record.RegisterName(), Log: log,
		Environment: append(slices.Clone(environment), namedAtStart(store, record, environment, log)...),
	}
}

const (
	// defaultGrace is how long config.sh may take to end when it is asked to.
	defaultGrace = 2 * time.Second
	// defaultPatience is how long it may take at all. With a server that cannot be reached it
	// gives up within half a minute.
	defaultPatience = 3 * time.Minute
	// tellEach is how often it is told that it is waited for.
	tellEach = 20 * time.Second
	// orphanGrace is how long it goes on when this process is killed: what it does at GitHub
	// is better done than half done.
	orphanGrace = time.Minute
	// maxTasks is many times what it needs.
	maxTasks = 1024
)

// visit is one run of config.sh.
type visit struct {
	verb      string // "configuring", "removing"
	name      string // of the runner
	arguments []string
	token     secret.Secret
	// before is called with the room and its account when it is ready, and after when
	// config.sh has ended well.
	before func(dir string, user account.User) error
	after  func(dir string) error
}

// run makes a room, unless one was prepared, runs config.sh in it, and removes it.
func (r Room) run(ctx context.Context, v visit) (err error) {
	made, err := r.ready(ctx)
	if err != nil {
		return fmt.Errorf("%s the runner: %w", v.verb, err)
	}
	defer func() { err = r.leave(ctx, made, err) }()
	if v.before != nil {
		if err := v.before(made.dir, made.user); err != nil {
			return fmt.Errorf("%s the runner: %w", v.verb, err)
		}
	}
	if err := r.config(ctx, made, v); err != nil || v.after == nil {
		return err
	}
	return v.after(made.dir)
}

// leave removes a room. What is left of one in which config.sh has failed is of less interest than that.
func (r Room) leave(ctx context.Context, made *furnished, failed error) error {
	ctx = context.WithoutCancel(ctx)
	switch {
	case failed != nil:
		r.clear(ctx, made)
		return failed
	case r.Later != nil:
		r.Later(func() { r.clear(ctx, made) })
		return nil
	}
	return r.vacate(ctx, made.dir, made.lock)
}

// clear removes a room, and warns of what is left.
func (r Room) clear(ctx context.Context, made *furnished) {
	if err := r.vacate(ctx, made.dir, made.lock); err != nil {
		r.Log.Warn("cannot remove what "+Program+" has left; the next command tries again", "folder", made.dir, "error", err)
	}
}

// Sweep removes the rooms that killed commands have left.
func (r Room) Sweep(ctx context.Context) error {
	for _, folder := range r.Folders {
		if err := r.sweep(ctx, folder); err != nil {
			return err
		}
	}
	return nil
}

func (r Room) sweep(ctx context.Context, folder string) error {
	locks, err := filepath.Glob(filepath.Join(globEscape(folder), "*"+lockMark))
	if err != nil {
		return fmt.Errorf("looking for rooms: %w", err)
	}
	for _, path := range locks {
		lock, err := instance.TryLock(ctx, path, path)
		if errors.Is(err, instance.ErrLocked) || errors.Is(err, os.ErrNotExist) {
			continue // it is in use
		}
		if err == nil {
			err = r.vacate(ctx, lockedFolder(lock), lock)
		}
		if err != nil {
			return fmt.Errorf("removing a room that a killed command has left: %w", err)
		}
	}
	return nil
}

// lockMark ends the names of the locks of rooms, which are beside them.
const lockMark = ".lock"

func lockedFolder(lock *instance.Lock) string {
	return lock.Path()[:len(lock.Path())-len(lockMark)]
}

// globEscape keeps a folder's name from being read as a pattern.
func globEscape(folder string) string {
	return strings.NewReplacer(`*`, `[*]`, `?`, `[?]`, `[`, `[[]`).Replace(folder)
}

// livesMark ends the name of what is beside a room: there its life, and the trial before that, have what they need on the disk.
const livesMark = ".lives"

// vacate removes a room, with what a killed command has left of its life, and then gives up its number.
func (r Room) vacate(ctx context.Context, dir string, lock *instance.Lock) error {
	if err := errors.Join(jail.Clear(ctx, dir+livesMark), r.Discard(ctx, dir)); err != nil {
		lock.Release()
		return err
	}
	lock.Remove()
	return nil
}

// config runs config.sh in a room. It gets no standard input: where it would ask, it
// fails. When it returns, nothing of it is left.
func (r Room) config(ctx context.Context, made *furnished, v visit) error {
	patience := r.patience
	if patience == 0 {
		patience = defaultPatience
	}
	ctx, cancel := context.WithTimeoutCause(ctx, patience, ErrSlow)
	defer cancel()
	maker, err := r.Maker, error(nil)
	if maker == nil {
		maker, err = jail.Choose(ctx, jail.Options{Folder: made.dir + livesMark, Log: r.Log})
	}
	if err != nil {
		return fmt.Errorf("%s the runner: %w", v.verb, err)
	}
	output, input, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("%s the runner: %w", v.verb, err)
	}
	defer output.Close()
	said := listen(output, &transcript{log: r.Log, token: v.token})
	var life jail.Life
	ended, err := instance.StartUnder(func(begins func(int) error) (int, error) {
		var err error
		life, err = maker.Start(ctx, jail.Spec{
			Name: cmp.Or(r.Life, "register."+v.name), Description: "config.sh of runner " + v.name,
			Argv: configCommand(made.dir, v.arguments),
			Env:  append(made.environment, tokenVariable+"="+v.token.Reveal()), Dir: made.dir, User: nameless(made.user), Output: input,
			Tasks: r.tasks(made.user), Grace: orphanGrace,
			View: jail.View{Confined: true, Writable: []string{made.dir}, Hidden: r.Hidden}, Begins: begins,
		})
		if err != nil {
			return 0, err
		}
		return life.Main().PID, nil
	}, append(slices.Clone(r.Locks), made.lock)...)
	// What it has started has copies of its own; with ours open the pipe would never end.
	err = errors.Join(err, input.Close())
	if life == nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return fmt.Errorf("%s the runner: starting %s: %w", v.verb, Program, err)
	}
	defer ended()
	exit, err := r.attend(ctx, life, v)
	lines := said()
	switch {
	case err != nil:
		return fmt.Errorf("%s the runner: %w", v.verb, err)
	case exit.Code != 0:
		return explain(v.verb, lines)
	}
	return nil
}

// nameless is an account as a life knows it: this host has a name for none but that of this process.
func nameless(user account.User) account.User {
	if !user.Self {
		user.Name = ""
	}
	return user
}

// tasks bounds what an account of its own may run: others would be counted with it.
func (r Room) tasks(user account.User) int {
	if user.Self {
		return 0
	}
	return maxTasks
}

// attend waits for config.sh, and ends it with all that it has started.
func (r Room) attend(ctx context.Context, life jail.Life, v visit) (exit jail.Exit, err error) {
	over := make(chan struct{})
	go func() {
		defer close(over)
		exit, err = life.Wait()
	}()
	tick := time.NewTicker(tellEach)
	defer tick.Stop()
	begun := time.Now()
	for waiting := true; waiting; {
		select {
		case <-over:
			waiting = false
		case <-tick.C:
			r.Log.Info("waiting for the runner's "+Program, "runner", v.name, "since", begun.UTC().Format(time.TimeOnly))
		case <-ctx.Done():
			r.interrupt(life, over)
			waiting = false
		}
	}
	endErr := life.End(context.WithoutCancel(ctx))
	<-over
	if ctx.Err() != nil && exit.Code != 0 {
		err = context.Cause(ctx)
	}
	return exit, errors.Join(err, endErr)
}

// interrupt asks config.sh to end, and gives it a moment: it may be talking to GitHub.
func (r Room) interrupt(life jail.Life, over <-chan struct{}) {
	grace := r.grace
	if grace == 0 {
		grace = defaultGrace
	}
	if err := life.Interrupt(); err != nil {
		return // it is killed next
	}
	select {
	case <-over:
	case <-time.After(grace):
	}
}
