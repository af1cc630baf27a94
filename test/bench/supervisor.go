package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

const (
	leastStarts = 9 // a median of milliseconds wants more than one of seconds
	idleLooks   = 3
	idleTime    = 10 * time.Second
	// startLimit and stopLimit bound what takes no time unless it hangs.
	startLimit = 30 * time.Second
	stopLimit  = 15 * time.Second
)

// measureUpkeep starts each side again and again, interleaved, and then looks at
// the memory of each while nothing happens.
func (b *bench) measureUpkeep(ctx context.Context) (*upkeep, error) {
	u := &upkeep{Idle: idleTime.Seconds()}
	chosen := b.chooseSides(u)
	if len(chosen) == 0 {
		return u, nil
	}
	dir, err := b.work.goOutside()
	if err != nil {
		return nil, fmt.Errorf("making a place for supervisors: %w", err)
	}
	s, err := openStage(dir, b.product)
	if err != nil {
		return nil, fmt.Errorf("finding an account for listeners: %w", err)
	}
	sides, err := s.make(ctx, chosen, b.fixture)
	if err != nil {
		return nil, err
	}
	if err := b.work.settle(b.work.dir); err != nil {
		return nil, err
	}
	for round := range max(leastStarts, b.rounds) {
		for i := range sides {
			if err := s.timeStart(ctx, u, sides[(i+round)%len(sides)]); err != nil {
				return nil, err
			}
		}
	}
	for range idleLooks {
		if err := s.look(ctx, u, sides); err != nil {
			return nil, err
		}
	}
	return u, nil
}

// timeStart adds one start to the row of a side.
func (s *stage) timeStart(ctx context.Context, u *upkeep, k side) error {
	before := loadAverage()
	up, err := s.keep(ctx, k)
	if err != nil {
		return fmt.Errorf("starting %s/%s: %w", upkeepName, k.name, err)
	}
	say("%s/%s: the listener runs after %.1f ms", upkeepName, k.name, up.took.Seconds()*1000)
	row := u.row(k.name)
	row.Starts = append(row.Starts, start{Time: up.took.Seconds(), Load: before})
	if err := up.stop(); err != nil {
		return fmt.Errorf("stopping %s/%s: %w", upkeepName, k.name, err)
	}
	return nil
}

// look adds the idle memory of each side to its row. They are idle together: what
// one does not do costs the others nothing.
func (s *stage) look(ctx context.Context, u *upkeep, sides []side) (err error) {
	ups := map[string]*kept{}
	defer func() {
		for _, up := range ups {
			err = errors.Join(err, up.stop())
		}
	}()
	for _, k := range sides {
		up, err := s.keep(ctx, k)
		if err != nil {
			return fmt.Errorf("starting %s/%s: %w", upkeepName, k.name, err)
		}
		ups[k.name] = up
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(idleTime):
	}
	all, err := allProcesses()
	if err != nil {
		return fmt.Errorf("looking at memory: %w", err)
	}
	for _, k := range sides {
		up := ups[k.name]
		if err := up.listens(); err != nil {
			return fmt.Errorf("looking at %s/%s: %w", upkeepName, k.name, err)
		}
		held := keepersAmong(all, up.command.Process.Pid, up.listener)
		if len(held) == 0 {
			return fmt.Errorf("looking at %s/%s: it has ended", upkeepName, k.name)
		}
		if err := addShares(held); err != nil {
			return fmt.Errorf("looking at %s/%s: %w", upkeepName, k.name, err)
		}
		say("%s/%s: %.1f MiB in %d processes", upkeepName, k.name, mebibytes(sum(held).PSS), len(held))
		row := u.row(k.name)
		row.Idle = append(row.Idle, held)
	}
	return nil
}

// chooseSides makes a row for each side that was asked for, and returns the names
// of those that can run here.
func (b *bench) chooseSides(u *upkeep) (names []string) {
	t := &table{Name: upkeepName}
	for _, c := range b.choose(t, upkeepCases(b.product)) {
		names = append(names, c.name)
	}
	for _, r := range t.Rows {
		u.Rows = append(u.Rows, &upkeepRow{Case: r.Case, Title: r.Title, Skipped: r.Skipped})
	}
	return names
}

// kept is a listener that somebody keeps running.
type kept struct {
	command  *exec.Cmd
	log      string // path of what was printed
	listener int    // its process id
	took     time.Duration
	started  *os.File
	over     chan error // how it ended; one value
	release  context.CancelFunc
}

// keep starts a side and waits until its listener runs. Its caller stops it; after
// an error nothing runs.
func (s *stage) keep(ctx context.Context, k side) (_ *kept, err error) {
	ctx, release := context.WithCancel(ctx)
	up := &kept{log: filepath.Join(s.dir, k.name+".log"), over: make(chan error, 1), release: release}
	defer func() {
		if err != nil {
			release()
		}
	}()
	// For both directions: there is nobody yet to wait for, and no end.
	if up.started, err = os.OpenFile(filepath.Join(k.root, startedPipe), os.O_RDWR, 0); err != nil {
		return nil, err
	}
	// Before the command can end, which brings it forward.
	if err := up.started.SetReadDeadline(time.Now().Add(startLimit)); err != nil {
		return nil, errors.Join(err, up.started.Close())
	}
	log, err := os.Create(up.log)
	if err != nil {
		return nil, errors.Join(err, up.started.Close())
	}
	defer log.Close()
	up.command = exec.CommandContext(ctx, k.command[0], k.command[1:]...)
	up.command.Dir, up.command.Env = k.root, s.environment()
	up.command.Stdout, up.command.Stderr = log, log
	ownGroup(up.command)
	endWithParent(up.command)
	if err := s.become(up.command, k); err != nil {
		return nil, errors.Join(err, up.started.Close())
	}
	began, err := up.start()
	if err != nil {
		return nil, errors.Join(err, up.started.Close())
	}
	if err := up.await(began); err != nil {
		release()
		return nil, errors.Join(fmt.Errorf("waiting for the listener: %w", err), up.stop())
	}
	return up, nil
}

// start starts the command and returns when that was, by the monotonic clock.
func (up *kept) start() (began time.Duration, err error) {
	started := make(chan error, 1)
	go func() {
		// The kernel ties what is started to the thread that started it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		began = monotonic()
		err := up.command.Start()
		started <- err
		if err == nil {
			up.over <- up.command.Wait()
			_ = up.started.SetReadDeadline(time.Now()) // nobody is left who could write
		}
	}()
	err = <-started
	return began, err
}

// await reads what the listener tells of itself.
func (up *kept) await(began time.Duration) error {
	line, err := bufio.NewReader(up.started).ReadString('\n')
	if err != nil {
		return err
	}
	var at time.Duration
	if _, err := fmt.Sscanf(line, "%d %d", &up.listener, &at); err != nil {
		return fmt.Errorf("reading %q: %w", line, err)
	}
	up.took = at - began
	return nil
}

// listens tells whether the words of the listener have come through. Without them
// there is nothing to be idle beside.
func (up *kept) listens() error {
	if printed := up.printed(); !strings.Contains(strings.ToLower(printed), "listening for jobs") {
		return fmt.Errorf("the listener was not heard of, this was printed:\n%s", printed)
	}
	return nil
}

func (up *kept) printed() string {
	text, err := os.ReadFile(up.log)
	if err != nil {
		return err.Error()
	}
	printed := &tail{}
	_, _ = printed.Write(text) // it takes everything
	return printed.String()
}

// stop ends the command as a service manager does, and then whatever is left of
// it. The error says how it ended, if not well.
func (up *kept) stop() error {
	defer up.release()
	defer up.started.Close()
	defer func() { _ = up.command.Cancel() }()     // nothing may be left
	_ = up.command.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case err := <-up.over:
		if err != nil {
			return fmt.Errorf("ending %q: %w, it printed:\n%s", up.command.Args[0], err, up.printed())
		}
		return nil
	case <-time.After(stopLimit):
		up.release()
		return errors.Join(fmt.Errorf("ending %q: it did not end within %s", up.command.Args[0], stopLimit), <-up.over)
	}
}
