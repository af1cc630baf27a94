// Probe is a service that installs itself, and does to itself what its test asks for.
//
//	probe [-name N] [-norestart CODE] [-notify [-mute]] VERB [ARG...]
//
// Every verb but run and serve-notify prints one line of JSON: changed, state, text, log, error. With install and
// text, the ARGs are what the service is run with after "run"; with -notify, which makes it a service that notifies, has
// a watchdog and is in a sandbox, after "serve-notify". That one runs each of them in a shell before it is ready, unless
// -mute keeps it from ever being that.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc/systemd"
)

const (
	seenArgs = "/run/probe-args"    // the arguments that the service was started with, as JSON
	seenEnd  = "/run/probe-stopped" // made when the service was asked to stop, before it does
	exitWith = "/run/probe-exit"    // holds the code that the service shall end with
)

type answer struct {
	Changed     bool
	State       *svc.State
	Text        string
	Log         []string
	Error       string
	Unavailable bool
}

// exitError ends the process with a code of its own.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("asked to end with %d", int(e)) }

func main() {
	name := flag.String("name", "actions.runner.octo-org.probe", "")
	noRestart := flag.Int("norestart", 78, "")
	timeout := flag.Duration("timeout", time.Minute, "")
	stop := flag.Duration("stop", 20*time.Second, "")
	notify := flag.Bool("notify", false, "")
	mute := flag.Bool("mute", false, "")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), *timeout)
	defer cancel()
	verb, args := flag.Arg(0), flag.Args()[1:]
	switch verb {
	case "run":
		os.Exit(run(func(ctx context.Context) error { return serve(ctx, args) }))
	case "serve-notify":
		os.Exit(run(func(ctx context.Context) error { return serveNotify(ctx, *mute, args) }))
	}
	executable, err := os.Executable()
	unit := svc.Unit{
		Name: *name, Description: "Probe of 100% %n", Documentation: "https://example.com/a%20b",
		Executable: executable, Args: append([]string{"run"}, args...), Directory: "/var/tmp",
		StopTimeout: *stop, NoRestartStatus: []int{*noRestart},
	}
	if *notify {
		unit.Args = append([]string{"-mute=" + strconv.FormatBool(*mute), "serve-notify"}, args...)
		unit.Notify, unit.Watchdog, unit.StartTimeout = true, 2*time.Second, 20*time.Second
		unit.Sandbox = svc.Sandbox{Enabled: true, Writable: []string{"/home/probe", `/srv/100% "a" \b $c`, "/srv/not there"}}
	}
	if err == nil {
		err = answerTo(ctx, verb, unit, args)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func answerTo(ctx context.Context, verb string, unit svc.Unit, args []string) error {
	service, err := systemd.New(unit)
	if err != nil {
		return err
	}
	a := answer{Text: service.Text()}
	switch verb {
	case "text":
	case "available":
		err = systemd.Available()
	case "install":
		var change svc.Change
		change, err = service.Install(ctx)
		a.Changed = change.Made
	case "uninstall":
		if service, err = systemd.Named(unit.Name); err == nil { // as somebody who knows nothing else
			a.Changed, err = service.Uninstall(ctx)
		}
	case "start":
		err = service.Start(ctx)
	case "restart":
		err = service.Restart(ctx)
	case "stop":
		err = service.Stop(ctx, svc.Gently)
	case "stop-now":
		err = service.Stop(ctx, svc.Now)
	case "log":
		a.Log, err = service.Log(ctx, 200)
	case "state":
		var state svc.State
		if state, err = service.State(ctx); err == nil {
			a.State = &state
		}
	default:
		return fmt.Errorf("verb %q is not known", verb)
	}
	if err != nil {
		a.Error, a.Unavailable = err.Error(), errors.Is(err, svc.ErrUnavailable)
	}
	return json.NewEncoder(os.Stdout).Encode(a)
}

// run is the service.
func run(body func(ctx context.Context) error) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := body(ctx)
	var exit exitError
	switch {
	case errors.As(err, &exit):
		return int(exit)
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		return 1
	default:
		return 0
	}
}

func serve(ctx context.Context, args []string) error {
	content, err := json.Marshal(args)
	if err != nil {
		return err
	}
	if err := os.WriteFile(seenArgs+".part", content, 0o644); err != nil {
		return err
	}
	if err := os.Rename(seenArgs+".part", seenArgs); err != nil {
		return err
	}
	fmt.Println("the probe serves")
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return os.WriteFile(seenEnd, nil, 0o644)
		case <-ticker.C:
		}
		text, err := os.ReadFile(exitWith)
		if err != nil {
			continue
		}
		code, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil {
			continue // not written to its end yet
		}
		if err := os.Remove(exitWith); err != nil {
			return err
		}
		return exitError(code)
	}
}

// serveNotify is the service that talks to its manager. It says which signals it got, and writes what its shells say
// into the log.
func serveNotify(ctx context.Context, mute bool, scripts []string) error {
	fmt.Println("the probe starts")
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	manager := systemd.NewNotifier(os.Getenv("NOTIFY_SOCKET"))
	for i, script := range scripts {
		if err := manager.Status(fmt.Sprintf("script %d", i)); err != nil {
			return err
		}
		out, err := exec.CommandContext(ctx, "sh", "-c", script).CombinedOutput()
		fmt.Printf("%sscript %d: %v\n", out, i, err)
	}
	if !mute {
		if err := manager.Ready("ready:\nall is well"); err != nil {
			return err
		}
	}
	interval := systemd.WatchdogInterval(os.Getenv("WATCHDOG_USEC"), os.Getenv("WATCHDOG_PID"))
	if interval != time.Second {
		return fmt.Errorf("the watchdog waits for %s", interval)
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return manager.Stopping("stopping")
		case <-ticker.C:
			err = manager.Watchdog()
		case s := <-signals:
			err = manager.Status("got " + s.String())
		}
		if err != nil {
			return err
		}
	}
}
