package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	conflictTries   = 8
	defaultInterval = 100 * time.Millisecond
	// A listener whose server is gone gives up, so that none outlives the test it belongs to.
	reconnectLimit = 30 * time.Second

	textDeletedAtStart = "Failed to create a session. The runner registration has been deleted from the server, " +
		"please re-configure. Runner registrations are automatically deleted for runners that have not connected to " +
		"the service recently."
	textDeleted = "The runner no longer exists on the server. Cleaning up local configuration."
)

// listener is one life of a configured runner.
type listener struct {
	*program
	settings settings
	server   *server
	signals  chan os.Signal
	job      *job
	update   string // the version to go to once no job runs
	log      *os.File
	cut      bool // it has said that it lost the connection
}

// event is what a poll brings.
type event struct {
	message message
	got     bool
	err     error
}

func (p *program) run() int {
	if code, asked := p.scriptedDeath(); asked {
		return code
	}
	if blob := p.opts.value("jitconfig"); blob != "" {
		if err := p.unpackJIT(blob); err != nil {
			return p.fail(err)
		}
	}
	l := &listener{program: p, signals: make(chan os.Signal, 8)}
	if !p.isConfigured() {
		p.testify("run", os.Getenv("SIMULATED_RUNNER_WITNESS"))
		return p.fail(said("Not configured. Run config.(sh/cmd) to configure the runner."))
	}
	if err := p.load(runnerFile, &l.settings); err != nil {
		return p.fail(err)
	}
	var err error
	if l.server, err = p.connect(l.settings); err != nil {
		return p.fail(err)
	}
	p.testify("run", string(l.settings.ServerURLV2))
	signal.Notify(l.signals, os.Interrupt, syscall.SIGTERM)
	if err := l.openLog(); err != nil {
		return p.fail(err)
	}
	defer func() { _ = l.log.Close() }()
	if err := l.validateWork(); err != nil {
		return p.fail(err)
	}
	l.note("√ Connected to GitHub\n")
	l.note("Current runner version: '%s'", p.version)
	if code, asked, err := p.scriptedExit(); err != nil {
		return p.fail(err)
	} else if asked {
		return code
	}
	if code, opened := l.openSession(); !opened {
		return code
	}
	l.note("%s: Listening for Jobs", stamp())
	return l.listen()
}

func stamp() string { return time.Now().UTC().Format("2006-01-02 15:04:05Z") }

// note says a line on stdout and in the log.
func (l *listener) note(format string, args ...any) {
	l.say(format, args...)
	l.trace("Terminal", "WRITE LINE: "+format, args...)
}

// trace says a line in the log alone, as a part of the program does.
func (l *listener) trace(part, format string, args ...any) {
	_, _ = fmt.Fprintf(l.log, "["+stamp()+" INFO "+part+"] "+format+"\n", args...)
}

func (l *listener) openLog() error {
	name := "Runner_" + time.Now().UTC().Format("20060102-150405") + "-utc.log"
	f, err := os.OpenFile(l.path(filepath.Join("_diag", name)), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("opening the log: %w", err)
	}
	l.log = f
	return nil
}

// scriptedExit takes the next code from the file .simulated-exit, if there is one. 3+60 leaves a process for 60 s, as a
// self-update leaves its script.
func (p *program) scriptedExit() (code int, asked bool, err error) {
	file := p.path(".simulated-exit")
	raw, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("reading the exit codes to simulate: %w", err)
	}
	codes := strings.Fields(string(raw))
	if len(codes) == 0 {
		return 0, false, nil
	}
	number, seconds, leaves := strings.Cut(codes[0], "+")
	if code, err = strconv.Atoi(number); err != nil {
		return 0, false, fmt.Errorf("reading the exit codes to simulate: %w", err)
	}
	if leaves {
		//nolint:gosec,noctx // the test says how long, and it is to outlive this process
		if err := exec.Command("sleep", seconds).Start(); err != nil {
			return 0, false, fmt.Errorf("leaving a process: %w", err)
		}
	}
	if err := os.WriteFile(file, []byte(strings.Join(codes[1:], "\n")), 0o644); err != nil {
		return 0, false, fmt.Errorf("taking an exit code to simulate: %w", err)
	}
	return code, true, nil
}

// scriptedDeath is for a listener that ends before it has looked at anything, as .NET does where it cannot start:
// SIMULATED_RUNNER_DEATH is an exit code and what is said on stderr, which may be nothing.
func (p *program) scriptedDeath() (code int, asked bool) {
	text := os.Getenv("SIMULATED_RUNNER_DEATH")
	if text == "" {
		return 0, false
	}
	number, words, _ := strings.Cut(text, " ")
	code, err := strconv.Atoi(number)
	if err != nil {
		return p.fail(fmt.Errorf("reading the end to simulate: %w", err)), true
	}
	if words != "" {
		p.complain("%s", words)
	}
	return code, true
}

// openSession tries until it has a session, or says with which code to end.
func (l *listener) openSession() (code int, opened bool) {
	interval := defaultInterval
	if d, err := time.ParseDuration(os.Getenv("SIMULATED_RUNNER_CONFLICT_INTERVAL")); err == nil {
		interval = d
	}
	conflicts, giveUp := 0, time.Now().Add(reconnectLimit)
	for {
		err := l.server.open()
		var refused *statusError
		switch {
		case err == nil:
			l.reconnected()
			return 0, true
		case errors.Is(err, errGone):
			return l.fail(said(textDeletedAtStart)), false
		case errors.Is(err, errTooOld):
			return l.deprecated(), false
		case errors.As(err, &refused) && refused.status == 409:
			conflicts++
			l.complain("A session for this runner already exists.")
			if conflicts >= conflictTries {
				l.complain("Stop retry on SessionConflictException after retried for %s.", time.Duration(conflicts)*interval)
				return exitSessionConflict, false
			}
			l.disconnected(said("Error: Conflict"))
		case time.Now().After(giveUp):
			l.complain("%s", err)
			return exitRetryable, false
		default:
			l.disconnected(err)
		}
		select {
		case s := <-l.signals:
			return l.stop(s), false
		case <-time.After(interval):
		}
	}
}

// disconnected says that GitHub cannot be reached, once until it can.
func (l *listener) disconnected(err error) {
	if !l.cut {
		l.complain("%s: Runner connect error: %s. Retrying until reconnected.", stamp(), err)
	}
	l.cut = true
}

func (l *listener) reconnected() {
	if l.cut {
		l.note("%s: Runner reconnected.", stamp())
	}
	l.cut = false
}

func (l *listener) deprecated() int {
	l.complain("Runner version v%s is deprecated and cannot receive messages.", l.version)
	if os.Getenv("ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE") == "1" {
		return exitDeprecated
	}
	return exitTerminated
}

// listen works until something ends it. There is one poll at a time, and none while an event is handled.
func (l *listener) listen() int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	events := make(chan event, 1)
	poll := func() {
		busy := l.job != nil
		go func() {
			m, got, err := l.server.poll(ctx, busy)
			events <- event{m, got, err}
		}()
	}
	poll()
	for {
		var done <-chan struct{}
		if l.job != nil {
			done = l.job.done
		}
		select {
		case s := <-l.signals:
			return l.stop(s)
		case <-done:
			if code, ended := l.finishJob(); ended {
				return code
			}
		case e := <-events:
			if code, ended := l.handle(e); ended {
				return code
			}
			poll()
		}
	}
}

// stop ends the session and, before that, a running job.
func (l *listener) stop(s os.Signal) int {
	l.note("Exiting...")
	if l.job != nil {
		l.job.cancel()
		<-l.job.done
		l.announceResult()
		l.cleanUpOnce()
	}
	l.server.close()
	if s == syscall.SIGTERM {
		return exitTerminatedSignal
	}
	return exitSuccess
}

// cleanUpOnce deletes the local configuration of a runner that was there for one job.
func (l *listener) cleanUpOnce() {
	if !l.settings.Ephemeral.isTrue() {
		return
	}
	if err := l.forget(); err != nil {
		l.complain("%s", err)
		return
	}
	l.note("√ Removed .credentials\n√ Removed .runner")
}

func (l *listener) announceResult() {
	l.note("%s: Job %s completed with result: %s", stamp(), l.job.name, l.job.result)
}
