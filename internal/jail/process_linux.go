package jail

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/reaper"
)

// endTime is how long a life may take to end that is killed: the kernel does it in milliseconds, unless a device hangs.
const endTime = 15 * time.Second

// errFirst is a program that does not call [First], or whose first process was killed.
var errFirst = errors.New("it has ended without a word")

// byProcess has a process for each life that is the parent of its orphans: with isolated, as the first of namespaces.
type byProcess struct {
	folder   string
	isolated bool
	weaker   []string
	log      *slog.Logger
	spares   spares
}

func (m *byProcess) Name() string {
	if m.isolated {
		return Namespaces
	}
	return Descendants
}

func (m *byProcess) Weaker() []string { return m.weaker }

func (m *byProcess) room(name string) room { return room{filepath.Join(m.folder, name)} }

func (m *byProcess) Start(ctx context.Context, spec Spec) (Life, error) {
	if err := m.EndStale(ctx, spec.Name); err != nil {
		return nil, err
	}
	view := spec.View
	if !m.isolated {
		view.Fresh, view.HostTemp = false, true
		// Whose parent was killed by a job comes to this process.
		if err := reaper.Subreaper(); err != nil {
			return nil, &StartError{Program: spec.Argv[0], Step: "becoming the parent of its orphans", Cause: err}
		}
	}
	at := m.room(spec.Name)
	if err := forgetBefore(spec); err != nil {
		return nil, &StartError{Program: spec.Argv[0], Cause: err}
	}
	if err := at.make(view, spec.User); err != nil {
		return nil, &StartError{Program: spec.Argv[0], Cause: err}
	}
	keeper, err := m.spares.take(m.isolated)
	if err != nil {
		err = &StartError{Program: spec.Argv[0], Step: "starting the first process of its life", Cause: err}
		return nil, errors.Join(err, at.discard())
	}
	life := &processLife{room: at, isolated: m.isolated, log: m.log, keeper: keeper, over: make(chan struct{}), rest: newRest()}
	err = life.start(ctx, spec, beginning{
		Argv: spec.Argv, Env: lastOfEach(spec.Env), Dir: spec.Dir,
		UID: spec.User.UID, GID: spec.User.GID, Groups: spec.User.Groups, Self: spec.User.Self,
		Isolated: m.isolated, View: view, Room: at.path,
		Tasks: spec.Tasks, Grace: spec.Grace, Outlive: spec.Outlive, OutliveTime: spec.OutliveTime,
	})
	if err != nil {
		return nil, errors.Join(err, at.discard())
	}
	return life, nil
}

// Prepare starts first processes, unless they would be among the descendants that are ended with a life.
func (m *byProcess) Prepare(lives int) error {
	if !m.isolated {
		return nil
	}
	return m.spares.have(m.isolated, lives)
}

// EndStale waits for a first process that knows that it is alone, and kills one that does not end.
func (m *byProcess) EndStale(ctx context.Context, name string) error {
	at := m.room(name)
	p, grace, known := at.first()
	if known {
		if err := awaitEnd(ctx, p, grace+endTime); err != nil {
			return fmt.Errorf("ending what an earlier life of %q has left: %w", name, err)
		}
	}
	return at.discard()
}

// awaitEnd returns when a process has ended, and kills it when the time is over.
func awaitEnd(ctx context.Context, p reaper.Process, patience time.Duration) error {
	limit := time.NewTimer(patience)
	defer limit.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for killed := false; p.Alive(); {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-limit.C:
			if killed {
				return fmt.Errorf("process %d does not end", p.PID)
			}
			killed = true
			limit.Reset(endTime)
			if err := p.Signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
				return fmt.Errorf("killing process %d: %w", p.PID, err)
			}
		case <-tick.C:
		}
	}
	return nil
}

// firstProcessNote is what a room says of the process that keeps it. Its number counts in the boot in which it was given.
type firstProcessNote struct {
	PID   int           `json:"pid"`
	Start uint64        `json:"start"`
	UID   int           `json:"uid"`
	Boot  string        `json:"boot"`
	Grace time.Duration `json:"grace"`
}

func (r room) note(p reaper.Process, grace time.Duration) error {
	text, err := json.Marshal(firstProcessNote{PID: p.PID, Start: p.Start, UID: p.UID, Boot: boot(), Grace: grace})
	if err == nil {
		err = os.WriteFile(filepath.Join(r.path, firstNote), text, 0o600)
	}
	if err != nil {
		return fmt.Errorf("noting which process keeps a life: %w", err)
	}
	return nil
}

// first is the process that keeps the room, as far as one does.
func (r room) first() (p reaper.Process, grace time.Duration, known bool) {
	text, err := os.ReadFile(filepath.Join(r.path, firstNote))
	var n firstProcessNote
	if err != nil || json.Unmarshal(text, &n) != nil || n.Boot != boot() {
		return reaper.Process{}, 0, false
	}
	return reaper.Process{PID: n.PID, Start: n.Start, UID: n.UID}, n.Grace, true
}

func boot() string {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return string(text)
}

// processLife is a life that a first process keeps.
type processLife struct {
	room     room
	isolated bool
	log      *slog.Logger
	*keeper
	main    reaper.Process
	over    chan struct{} // closed when the program has ended
	exit    Exit
	mu      sync.Mutex // of orders
	endOnce sync.Once
	told    bool // what its life begins with
	rest    rest // where it is not isolated
}

// start has the first process start the program.
func (l *processLife) start(ctx context.Context, spec Spec, begin beginning) error {
	// Its own kind of end: what was told, and that nobody reads it any more.
	stop := context.AfterFunc(ctx, func() { _ = l.cmd.Process.Kill() })
	next := said(l.reports)
	r, err := l.begin(begin, &spec, next)
	// From here on the end of ctx kills nothing, so either it has, or the life is whole.
	switch killed := !stop(); {
	case killed:
		err = context.Cause(ctx)
	case err != nil:
		err = &StartError{Program: spec.Argv[0], Step: "talking to the first process of its life", Cause: err}
	case r.Failed == itself:
		err = &StartError{Program: spec.Argv[0], Cause: r.cause()}
	case r.Failed != "":
		err = &StartError{Program: spec.Argv[0], Step: r.Failed, Cause: r.cause()}
	}
	if err != nil {
		_ = l.cmd.Process.Kill() // it has ended, or is to
		<-l.gone
		if l.told && r.Failed == "" { // the program may have been started
			err = errors.Join(err, l.endLeft(context.WithoutCancel(ctx)))
		}
		return errors.Join(err, l.orders.Close(), l.reports.Close())
	}
	// One that ended at once is nobody any more.
	l.main, _ = reaper.LookInside(l.cmd.Process.Pid, r.Started)
	go l.listen(next)
	return nil
}

// begin says who keeps the room before anything is started in it, and hears what has come of the start.
func (l *processLife) begin(b beginning, spec *Spec, next func() (report, error)) (report, error) {
	p, err := reaper.Look(l.cmd.Process.Pid)
	if err == nil {
		err = l.room.note(p, spec.Grace)
	}
	if err == nil {
		err = spec.begins(p.PID) // it does nothing that it was not told, and ends when there is nobody to tell it
	}
	if err != nil {
		return report{}, err
	}
	// Nobody else gives orders yet.
	l.told = true
	if err := handOver(l.orders, spec.Output); err != nil {
		return report{}, err
	}
	if err := json.NewEncoder(l.orders).Encode(order{Begin: &b}); err != nil {
		return report{}, err
	}
	r, err := next()
	if errors.Is(err, io.EOF) {
		err = errFirst
	}
	return r, err
}

func (l *processLife) order(o order) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return json.NewEncoder(l.orders).Encode(o)
}

// listen waits for the end of the program.
func (l *processLife) listen(next func() (report, error)) {
	defer l.reports.Close()
	defer close(l.over)
	for {
		r, err := next()
		if err != nil {
			l.exit = Exit{Code: -1, Signal: int(syscall.SIGKILL)} // with its first process
			return
		}
		if r.Exit != nil {
			l.exit = *r.Exit
			return
		}
	}
}

func (l *processLife) Main() reaper.Process { return l.main }

// Gone is the end of the first process, which stays as long as there is something. Where it was killed, all has ended with it in
// its namespaces, or what is left has come to this process.
func (l *processLife) Gone() <-chan struct{} {
	if l.isolated {
		return l.gone
	}
	return l.rest.gone(l.gone, func() bool { return l.finished() || !reaper.Descended() })
}

func (l *processLife) Interrupt() error {
	err := l.order(order{Interrupt: true})
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, os.ErrClosed) {
		return nil // it has ended
	}
	return err
}

func (l *processLife) Wait() (Exit, error) {
	<-l.over
	return l.exit, nil
}

func (l *processLife) End(ctx context.Context) error {
	// One that is gone cannot be told, and need not.
	_ = l.order(order{End: true})
	select {
	case <-l.gone:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(endTime):
		_ = l.cmd.Process.Kill() // it has ended, or is to
		select {
		case <-l.gone:
		case <-time.After(endTime):
			return fmt.Errorf("ending a life: process %d does not end", l.cmd.Process.Pid)
		}
	}
	<-l.over
	if err := l.endLeft(ctx); err != nil {
		return err
	}
	l.rest.end()
	l.endOnce.Do(func() { _ = l.orders.Close() }) // nobody reads it any more
	return l.room.discard()
}

// endLeft ends what a first process that was killed has left, by a job of the account that this process has, or by us: then it
// came to this process. The kernel does it where the first process was one of namespaces.
func (l *processLife) endLeft(ctx context.Context) error {
	if l.isolated || l.finished() {
		return nil
	}
	if _, err := reaper.EndDescendants(ctx, 0); err != nil {
		return fmt.Errorf("ending a life: %w", err)
	}
	return nil
}
