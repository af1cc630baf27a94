package scm

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/mgr"
)

// ErrAbsent says that the service manager knows no service of that name.
var ErrAbsent = errors.New("no such service")

// ErrMarked says that a service was deleted, and cannot go: it matches Windows' own error (1072). Nothing can be changed about it, and it
// cannot be started.
var ErrMarked error = markedError{}

type markedError struct{}

func (markedError) Error() string {
	return "it was deleted, and goes only when nobody has it open any more: close the window of services, Task Manager and the like"
}

// Unwrap gives Windows' reason.
func (markedError) Unwrap() error { return windows.ERROR_SERVICE_MARKED_FOR_DELETE }

const (
	// glance is how often a service is looked at that is starting or stopping.
	glance = 50 * time.Millisecond
	// deleteTime is how long a deleted service may still be known: until everybody who looks at it has let go.
	deleteTime = 20 * time.Second
)

// Status is how a service is.
type Status struct {
	State svc.State
	PID   int
	// Exit is how it has ended, a number of Windows'; Code is its own exit code where Exit is ERROR_SERVICE_SPECIFIC_ERROR.
	Exit windows.Errno
	Code int
}

// open gives a service with just these rights, so that everybody may ask for what everybody may know.
func open(name string, rights uint32) (*mgr.Service, func(), error) {
	manager, err := windows.OpenSCManager(nil, nil, windows.SC_MANAGER_CONNECT)
	if err != nil {
		return nil, nil, fmt.Errorf("connecting to the service manager: %w", err)
	}
	text, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return nil, nil, errors.Join(err, windows.CloseServiceHandle(manager))
	}
	handle, err := windows.OpenService(manager, text, rights)
	if errors.Is(err, windows.ERROR_SERVICE_DOES_NOT_EXIST) {
		err = ErrAbsent
	}
	if err != nil {
		_ = windows.CloseServiceHandle(manager) // nothing was done with it
		return nil, nil, err
	}
	service := &mgr.Service{Name: name, Handle: handle}
	return service, func() {
		_ = service.Close()                     // what was done is done
		_ = windows.CloseServiceHandle(manager) // likewise
	}, nil
}

// Look tells how a service is. The error is [ErrAbsent] where there is none.
func Look(name string) (Status, error) {
	service, release, err := open(name, windows.SERVICE_QUERY_STATUS)
	if err != nil {
		return Status{}, err
	}
	defer release()
	return look(service)
}

func look(service *mgr.Service) (Status, error) {
	now, err := service.Query()
	if err != nil {
		return Status{}, fmt.Errorf("asking for its state: %w", err)
	}
	if now.State != svc.Stopped && hasEnded(now.ProcessId) {
		// The manager sees it a moment later, and Wine's not before the next start.
		return Status{State: svc.Stopped, Exit: windows.ERROR_PROCESS_ABORTED}, nil
	}
	return Status{
		State: now.State, PID: int(now.ProcessId), Exit: windows.Errno(now.Win32ExitCode), Code: int(now.ServiceSpecificExitCode),
	}, nil
}

// hasEnded tells whether a process is known to have ended. 0 is none.
func hasEnded(pid uint32) bool {
	if pid == 0 {
		return false
	}
	process, err := windows.OpenProcess(windows.SYNCHRONIZE, false, pid)
	if err != nil {
		return errors.Is(err, windows.ERROR_INVALID_PARAMETER) // others are not for this account to know
	}
	defer windows.CloseHandle(process) //nolint:errcheck // nothing was written to it
	event, err := windows.WaitForSingleObject(process, 0)
	return err == nil && event == windows.WAIT_OBJECT_0
}

// Start starts a service and returns when it runs, or has failed to. One that runs already is success.
func Start(ctx context.Context, name string, arguments ...string) error {
	service, release, err := open(name, windows.SERVICE_START|windows.SERVICE_QUERY_STATUS)
	if err != nil {
		return err
	}
	defer release()
	for {
		err = service.Start(arguments...)
		// One that is just being stopped is started after that, and while the system comes up the manager may not take this yet.
		if errors.Is(err, windows.ERROR_SERVICE_ALREADY_RUNNING) {
			now, err := look(service)
			if err != nil || now.State == svc.Running {
				return err
			}
		} else if !errors.Is(err, windows.ERROR_SERVICE_DATABASE_LOCKED) {
			break
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
	if errors.Is(err, windows.ERROR_SERVICE_LOGON_FAILED) {
		return fmt.Errorf("%w (1069): the password of its account is not right, or the account may not log on as a service", err)
	}
	if err != nil {
		return err
	}
	for {
		now, err := look(service)
		switch {
		case err != nil:
			return err
		case now.State == svc.Running:
			return nil
		case now.State == svc.Stopped:
			return &EndError{Status: now}
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

// EndError says that a service has ended when it was to run.
type EndError struct{ Status Status }

func (e *EndError) Error() string {
	switch e.Status.Exit {
	case 0:
		return "it has ended"
	case windows.ERROR_SERVICE_SPECIFIC_ERROR:
		return fmt.Sprintf("it has ended with code %d", e.Status.Code)
	default:
		return "it has ended: " + e.Status.Exit.Error()
	}
}

// Unwrap gives Windows' reason.
func (e *EndError) Unwrap() error {
	if e.Status.Exit == 0 {
		return nil
	}
	return e.Status.Exit
}

// Stop asks a service to stop and returns when it has. No service, and one that does not run, are success.
func Stop(ctx context.Context, name string) error { return end(ctx, name, svc.Stop) }

// Finish is Stop by a control of the service's own.
func Finish(ctx context.Context, name string, control uint32) error {
	return end(ctx, name, svc.Cmd(control))
}

func end(ctx context.Context, name string, control svc.Cmd) error {
	rights := uint32(windows.SERVICE_STOP | windows.SERVICE_USER_DEFINED_CONTROL | windows.SERVICE_QUERY_STATUS)
	service, release, err := open(name, rights)
	if errors.Is(err, ErrAbsent) {
		return nil
	}
	if err != nil {
		return err
	}
	defer release()
	for told := false; ; {
		now, err := look(service)
		if err != nil || now.State == svc.Stopped {
			return err
		}
		if !told {
			// While it starts it takes no control, and while it stops none that is its own.
			_, err = service.Control(control)
			told = err == nil
			early := errors.Is(err, windows.ERROR_SERVICE_CANNOT_ACCEPT_CTRL) || errors.Is(err, windows.ERROR_SERVICE_NOT_ACTIVE)
			if err != nil && !early {
				return err
			}
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

// Halt is Stop for a service that the manager does not start again by itself: one that takes longer than patience is killed.
func Halt(ctx context.Context, name string, patience time.Duration) error {
	gently, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := Stop(gently, name)
	if gently.Err() == nil || ctx.Err() != nil {
		return err
	}
	if err := Kill(name); err != nil {
		return err
	}
	return Stop(ctx, name)
}

// Tell sends a control of the service's own to it. It was taken in when that succeeds.
func Tell(name string, control uint32) error {
	service, release, err := open(name, windows.SERVICE_USER_DEFINED_CONTROL|windows.SERVICE_QUERY_STATUS)
	if err != nil {
		return err
	}
	defer release()
	_, err = service.Control(svc.Cmd(control))
	return err
}

// Delete removes a service that is at rest, and returns when the manager knows it no more. None is success, and false.
func Delete(ctx context.Context, name string) (was bool, err error) {
	service, release, err := open(name, windows.DELETE)
	if errors.Is(err, ErrAbsent) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	err = service.Delete()
	release()
	if err != nil && !errors.Is(err, windows.ERROR_SERVICE_MARKED_FOR_DELETE) {
		return true, err
	}
	return true, gone(ctx, name)
}

// gone returns when the manager knows a deleted service no more, or has kept it for too long.
func gone(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, deleteTime, ErrMarked)
	defer cancel()
	for {
		if _, err := Look(name); errors.Is(err, ErrAbsent) {
			return nil
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

// Kill ends the process of a service, as the last means. One that has none is success. The manager takes that for a crash, after which it
// may start the service again: see [Upkeep].
func Kill(name string) error {
	now, err := Look(name)
	if errors.Is(err, ErrAbsent) || err == nil && now.PID == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	process, err := windows.OpenProcess(windows.PROCESS_TERMINATE, false, uint32(now.PID)) //nolint:gosec // Windows' own number
	if errors.Is(err, windows.ERROR_INVALID_PARAMETER) {
		return nil // it has ended
	}
	if err != nil {
		return fmt.Errorf("ending its process %d: %w", now.PID, err)
	}
	err = windows.TerminateProcess(process, 1)
	return errors.Join(err, windows.CloseHandle(process))
}

func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(glance):
		return nil
	}
}
