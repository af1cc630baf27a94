package scm

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"
	"unicode/utf16"
	"unsafe"

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

// Description is what the manager holds of a service.
type Description struct {
	Command string // the whole command line
	Account string
	Start   StartType
}

// StartType says when the manager starts a service, as Windows numbers it.
type StartType uint32

// When a service is started: with the system, when somebody asks for it, never.
const (
	Automatic StartType = windows.SERVICE_AUTO_START
	Manual    StartType = windows.SERVICE_DEMAND_START
	Disabled  StartType = windows.SERVICE_DISABLED
)

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

// Describe tells what the manager holds of a service.
func Describe(name string) (Description, error) {
	service, release, err := open(name, windows.SERVICE_QUERY_CONFIG)
	if err != nil {
		return Description{}, err
	}
	defer release()
	// Not by the library's Config, which asks for more than every Windows, or what stands for it, has to tell.
	size := uint32(1024)
	for {
		buffer := make([]byte, size)
		config := (*windows.QUERY_SERVICE_CONFIG)(unsafe.Pointer(&buffer[0])) //nolint:gosec // as Windows gives it
		err := windows.QueryServiceConfig(service.Handle, config, size, &size)
		if errors.Is(err, windows.ERROR_INSUFFICIENT_BUFFER) && int(size) > len(buffer) {
			continue
		}
		if err != nil {
			return Description{}, fmt.Errorf("asking for its description: %w", err)
		}
		return Description{
			Command: windows.UTF16PtrToString(config.BinaryPathName),
			Account: windows.UTF16PtrToString(config.ServiceStartName),
			Start:   StartType(config.StartType),
		}, nil
	}
}

// Change changes the command line of a service and when it starts, and the account where one is given, with its password if it has one.
// What runs goes on as it was started.
func Change(name, command string, start StartType, account, password string) error {
	service, release, err := open(name, windows.SERVICE_CHANGE_CONFIG)
	if err != nil {
		return err
	}
	defer release()
	text, err := windows.UTF16PtrFromString(command)
	if err != nil {
		return err
	}
	var as, with *uint16
	if account != "" {
		if as, err = windows.UTF16PtrFromString(account); err != nil {
			return err
		}
		if with, err = windows.UTF16PtrFromString(password); err != nil {
			return err
		}
	}
	return windows.ChangeServiceConfig(service.Handle, windows.SERVICE_NO_CHANGE, uint32(start), windows.SERVICE_NO_CHANGE, text,
		nil, nil, nil, as, with, nil)
}

// Marked tells whether a service was deleted and is still there, as it runs or somebody has it open. It is for administrators.
func Marked(name string) (bool, error) {
	service, release, err := open(name, windows.SERVICE_CHANGE_CONFIG)
	if errors.Is(err, ErrAbsent) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer release()
	// A change of nothing is refused like every other.
	err = windows.ChangeServiceConfig(service.Handle, windows.SERVICE_NO_CHANGE, windows.SERVICE_NO_CHANGE, windows.SERVICE_NO_CHANGE,
		nil, nil, nil, nil, nil, nil, nil)
	if errors.Is(err, windows.ERROR_SERVICE_MARKED_FOR_DELETE) {
		return true, nil
	}
	return false, err
}

// Foreign describes a service whose command does not end so; [ErrAbsent] where there is none.
func Foreign(name, end string) (Description, error) {
	held, err := Describe(name)
	if err == nil && strings.HasSuffix(held.Command, end) {
		return Description{}, ErrAbsent
	}
	return held, err
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

// Upkeep is what the manager does for a service beside starting it.
type Upkeep struct {
	// Restart is how long it waits after the first, the second and each later end that was not announced; it forgets those before
	// after a day without any. Empty: it leaves the service as it is.
	Restart []time.Duration
	// NoRestart has it leave the service as it is after such an end, whatever it was told before.
	NoRestart bool
	// Shutdown is how long the service may take when the machine goes down; 0 is Windows' default.
	Shutdown time.Duration
	// OwnSID has the process of the service carry the service's own SID.
	OwnSID bool
	// Privileges are all that its process has of those that Windows gives to services. Empty: what its account has.
	Privileges []string
	// Describe is a line for people.
	Describe string
}

// Keep sets what the manager does for a service. What a manager does not know is no failure, and is returned.
func Keep(name string, u Upkeep) (unknown []string, err error) {
	service, release, err := open(name, windows.SERVICE_CHANGE_CONFIG|windows.SERVICE_QUERY_CONFIG|windows.SERVICE_START)
	if err != nil {
		return nil, err
	}
	defer release()
	//nolint:gosec // that is how Windows takes these
	set := func(what string, level uint32, value unsafe.Pointer) {
		switch failed := windows.ChangeServiceConfig2(service.Handle, level, (*byte)(value)); {
		case errors.Is(failed, windows.ERROR_INVALID_LEVEL):
			unknown = append(unknown, what)
		case failed != nil:
			err = errors.Join(err, fmt.Errorf("setting its %s: %w", what, failed))
		}
	}
	if u.Describe != "" {
		text, failed := syscall.UTF16PtrFromString(u.Describe)
		if failed != nil {
			return nil, failed
		}
		set("description", windows.SERVICE_CONFIG_DESCRIPTION,
			unsafe.Pointer(&windows.SERVICE_DESCRIPTION{Description: text})) //nolint:gosec // see set
	}
	if u.NoRestart {
		if failed := service.ResetRecoveryActions(); failed != nil {
			err = errors.Join(err, fmt.Errorf("taking back its recovery: %w", failed))
		}
	}
	if len(u.Restart) > 0 {
		var actions []mgr.RecoveryAction
		for _, delay := range u.Restart {
			actions = append(actions, mgr.RecoveryAction{Type: mgr.ServiceRestart, Delay: delay})
		}
		if failed := service.SetRecoveryActions(actions, uint32((24 * time.Hour).Seconds())); failed != nil {
			err = errors.Join(err, fmt.Errorf("setting its recovery: %w", failed))
		}
	}
	if u.Shutdown > 0 {
		limit := uint32(u.Shutdown.Milliseconds())                                                 //nolint:gosec // hours at most
		set("time at a shutdown", windows.SERVICE_CONFIG_PRESHUTDOWN_INFO, unsafe.Pointer(&limit)) //nolint:gosec // see set
	}
	if u.OwnSID {
		kind := uint32(windows.SERVICE_SID_TYPE_UNRESTRICTED)
		set("own SID", windows.SERVICE_CONFIG_SERVICE_SID_INFO, unsafe.Pointer(&kind)) //nolint:gosec // see set
	}
	if len(u.Privileges) > 0 {
		list := multiString(u.Privileges)
		info := struct{ list *uint16 }{&list[0]}
		set("privileges", windows.SERVICE_CONFIG_REQUIRED_PRIVILEGES_INFO, unsafe.Pointer(&info)) //nolint:gosec // see set
	}
	return unknown, err
}

// multiString is a list of words as Windows takes one: each with a zero behind it, and one more at the end.
func multiString(words []string) []uint16 {
	var list []uint16
	for _, word := range words {
		list = append(append(list, utf16.Encode([]rune(word))...), 0)
	}
	return append(list, 0)
}

func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(glance):
		return nil
	}
}
