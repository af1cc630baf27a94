// Probe is a service that installs itself, and does to itself what its test asks for.
//
//	probe [-name N] [-norestart CODE] VERB [ARG...]
//
// Every verb but run prints one line of JSON: changed, state, text, log, error. With install and text, the
// ARGs are what the service is run with after "run".
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
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
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), *timeout)
	defer cancel()
	verb, args := flag.Arg(0), flag.Args()[1:]
	if verb == "run" {
		os.Exit(run(*name, args))
	}
	executable, err := os.Executable()
	if err == nil {
		err = answerTo(ctx, verb, svc.Unit{
			Name: *name, Description: "Probe of 100% %n", Documentation: "https://example.com/a%20b",
			Executable: executable, Args: append([]string{"run"}, args...), Directory: "/var/tmp",
			StopTimeout: *stop, NoRestartStatus: []int{*noRestart},
		})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func answerTo(ctx context.Context, verb string, unit svc.Unit) error {
	service, err := svc.New(unit)
	if err != nil {
		return err
	}
	a := answer{Text: service.Text()}
	switch verb {
	case "text":
	case "available":
		err = svc.Available()
	case "install":
		a.Changed, err = service.Install(ctx)
	case "uninstall":
		if service, err = svc.Named(unit.Name); err == nil { // as somebody who knows nothing else
			a.Changed, err = service.Uninstall(ctx)
		}
	case "start":
		err = service.Start(ctx)
	case "restart":
		err = service.Restart(ctx)
	case "stop":
		err = service.Stop(ctx)
	case "log":
		a.Log, err = service.Log(ctx, 5)
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
func run(name string, args []string) int {
	err := svc.Run(context.Background(), name, func(ctx context.Context) error { return serve(ctx, args) })
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
