// Command probe says what the machine is that it runs on.
//
//	probe elevated      whether it runs as an administrator
//	probe get URL       what a server answers
//	probe spawn FILE    starts itself as "probe sleep FILE", and ends
//	probe sleep FILE    makes FILE, and lives a minute
//	probe hold FILE N   has FILE open for N seconds, and lets nobody remove it; says "held"
//	probe serve FILE    is a service called probe, which makes FILE when it starts
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
)

func main() {
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
}

func run(what string, args []string) error {
	switch what {
	case "elevated":
		fmt.Println(windows.GetCurrentProcessToken().IsElevated())
	case "get":
		answer, err := http.Get(args[0])
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		_, err = io.Copy(os.Stdout, answer.Body)
		return err
	case "spawn":
		own, err := os.Executable()
		if err != nil {
			return err
		}
		again := exec.Command(own, "sleep", args[0])
		again.Stdout, again.Stderr = os.Stdout, os.Stderr
		return again.Start()
	case "sleep":
		if err := os.WriteFile(args[0], nil, 0o600); err != nil {
			return err
		}
		<-time.After(time.Minute)
	case "hold":
		return hold(args[0], args[1])
	case "serve":
		return svc.Run("probe", service{args[0]})
	default:
		return fmt.Errorf("unknown %q", what)
	}
	return nil
}

func hold(file, seconds string) error {
	while, err := time.ParseDuration(seconds + "s")
	if err != nil {
		return err
	}
	name, err := windows.UTF16PtrFromString(file)
	if err != nil {
		return err
	}
	if _, err := windows.CreateFile(name, windows.GENERIC_READ, windows.FILE_SHARE_READ, nil, windows.OPEN_EXISTING, 0, 0); err != nil {
		return err
	}
	fmt.Println("held")
	<-time.After(while)
	return nil
}

type service struct{ file string }

// Execute implements svc.Handler.
func (s service) Execute(_ []string, requests <-chan svc.ChangeRequest, states chan<- svc.Status) (bool, uint32) {
	states <- svc.Status{State: svc.Running, Accepts: svc.AcceptStop}
	_ = os.WriteFile(s.file, []byte(time.Now().String()), 0o600) // the test looks for it
	for request := range requests {
		if request.Cmd == svc.Stop {
			break
		}
	}
	return false, 0
}
