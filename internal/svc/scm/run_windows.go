package scm

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
)

// program is the service manager's own.
const program = "services.exe"

// Started tells whether the service manager has started this process: whether its parent is services.exe.
func Started() bool {
	parent, err := parentName()
	return err == nil && strings.EqualFold(parent, program)
}

// parentName is the file name of the program that has started this process.
func parentName() (string, error) {
	snapshot, err := windows.CreateToolhelp32Snapshot(windows.TH32CS_SNAPPROCESS, 0)
	if err != nil {
		return "", fmt.Errorf("listing processes: %w", err)
	}
	defer windows.CloseHandle(snapshot) //nolint:errcheck // nothing is written to it
	names, parent := map[uint32]string{}, uint32(0)
	entry := windows.ProcessEntry32{Size: uint32(unsafe.Sizeof(windows.ProcessEntry32{}))}
	for err = windows.Process32First(snapshot, &entry); err == nil; err = windows.Process32Next(snapshot, &entry) {
		names[entry.ProcessID] = windows.UTF16ToString(entry.ExeFile[:])
		if entry.ProcessID == windows.GetCurrentProcessId() {
			parent = entry.ParentProcessID
		}
	}
	if !errors.Is(err, windows.ERROR_NO_MORE_FILES) {
		return "", fmt.Errorf("listing processes: %w", err)
	}
	return names[parent], nil
}

// The controls that a service of ours takes beside those of every service. Windows leaves 128 to 255 to each service.
const (
	Drain  uint32 = 130 // finish the running job, and take no other
	Resume uint32 = 131 // take jobs again
	Now    uint32 = 132 // cancel the running job, and end
)

// Body is what a service does.
type Body struct {
	// Run runs until the service is to end. Its context ends when that is asked for, which Stop and a shutdown do; after Now it is asked
	// for, too. Arguments are those of the start, without the service's name.
	Run func(ctx context.Context, arguments []string, controls <-chan uint32) error
	// Final tells whether an error is one that another start cannot mend, and the code that the service leaves for it, which is not 0.
	// After any other error the process has to end without a word: that is how the manager knows a crash, and starts it again.
	Final func(error) (code int, final bool)
	// Events has its start and its end told in the log of applications: see [Announce].
	Events bool
}

const (
	// stopHint is how long the manager is to wait for the next sign of a service that is ending, in milliseconds.
	stopHint = 30_000
	// signEach is how often it gets one.
	signEach = 5 * time.Second
)

// Run answers to the service manager, which has started this process, until the body has ended, and returns its error. When that
// error is not final, the caller ends this process.
func Run(name string, body Body) error {
	h := &handler{body: body, crashed: make(chan error, 1)}
	over := make(chan error, 1)
	go func() { over <- svc.Run(name, h) }()
	select {
	case err := <-h.crashed:
		return err
	case err := <-over:
		if err != nil {
			return fmt.Errorf("answering to the service manager: %w", err)
		}
		return h.err
	}
}

type handler struct {
	body    Body
	name    string
	err     error
	crashed chan error
}

// tell adds an event to the log of applications, for a service that others are told of.
func (h *handler) tell(number uint32, text string) {
	if h.body.Events {
		tell(h.name, number, text)
	}
}

// Execute is called by the library when the service is to run.
func (h *handler) Execute(arguments []string, requests <-chan svc.ChangeRequest, changes chan<- svc.Status) (own bool, code uint32) {
	const accepted = svc.AcceptStop | svc.AcceptPreShutdown | svc.AcceptShutdown | svc.AcceptParamChange
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	controls, ended := make(chan uint32, 16), make(chan error, 1)
	if len(arguments) > 0 {
		h.name, arguments = arguments[0], arguments[1:]
	}
	h.tell(eventStarted, "the service starts")
	go func() { ended <- h.body.Run(ctx, arguments, controls) }()
	status := svc.Status{State: svc.Running, Accepts: accepted}
	changes <- status
	ticker := time.NewTicker(signEach)
	defer ticker.Stop()
	asked := false
	for {
		select {
		case h.err = <-ended:
			own, code = h.leave(asked)
			if !asked {
				changes <- svc.Status{State: svc.StopPending, CheckPoint: status.CheckPoint + 1, WaitHint: stopHint}
				hearOut(requests)
			}
			return own, code
		case <-ticker.C:
			if asked {
				status.CheckPoint++
				changes <- status
			}
		case request := <-requests:
			switch request.Cmd {
			case svc.Interrogate:
				changes <- status
			case svc.Stop, svc.PreShutdown, svc.Shutdown:
				asked = true
				status = svc.Status{State: svc.StopPending, CheckPoint: status.CheckPoint + 1, WaitHint: stopHint}
				changes <- status
				stop()
			case svc.Cmd(Now):
				asked = true
				status = svc.Status{State: svc.StopPending, CheckPoint: status.CheckPoint + 1, WaitHint: stopHint}
				changes <- status
				pass(controls, Now)
				stop()
			case svc.Cmd(Drain), svc.Cmd(Resume):
				pass(controls, uint32(request.Cmd))
			default: // what else there is concerns no runner
			}
		}
	}
}

// lastWord is how long a control may be on its way that was sent before the manager knew that the service is ending.
const lastWord = 250 * time.Millisecond

// hearOut takes in what was on its way. Who answers to the manager, in the library, waits until a control is taken in: one that
// comes when nobody does any more would keep this process for ever.
func hearOut(requests <-chan svc.ChangeRequest) {
	over := time.NewTimer(lastWord)
	defer over.Stop()
	for {
		select {
		case <-requests:
		case <-over.C:
			return
		}
	}
}

// pass hands a control on; one who takes none is not waited for.
func pass(controls chan<- uint32, control uint32) {
	select {
	case controls <- control:
	default:
	}
}

// leave says how the service has ended, or leaves that to the end of this process.
func (h *handler) leave(asked bool) (own bool, code uint32) {
	if h.err == nil {
		h.tell(eventStopped, "the service has stopped")
		return false, 0
	}
	h.tell(eventFailed, "the service has ended: "+h.err.Error())
	number, final := h.body.Final(h.err)
	if final || asked {
		return true, uint32(max(number, 1)) //nolint:gosec // an exit code
	}
	h.crashed <- h.err
	select {} // the manager is to hear nothing more of this process
}
