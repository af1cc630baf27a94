package lifehost

import (
	"bufio"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/windows"

	"github.com/runner-bootstrap/runner-bootstrap/internal/acl"
)

// What the two ends of a life in a service say to each other, a line of JSON each. The pipe between them has one client, which the
// service manager has started; its other end is that of the agent's.
type (
	// order is what an agent says to a host.
	order struct {
		Begin     *beginning `json:",omitempty"`
		Interrupt bool       `json:",omitempty"`
		End       bool       `json:",omitempty"`
	}
	// beginning is the first order.
	beginning struct {
		Argv, Env []string
		Dir       string
		Output    uintptr // a handle of the host's; 0: none
		Outlive   []int
		Grace     time.Duration
	}
	// report is what a host says.
	report struct {
		Main   int           `json:",omitempty"` // the program was started
		Failed string        `json:",omitempty"` // it was not
		Errno  syscall.Errno `json:",omitempty"` // Windows' number for that, where it has one
		Ended  *int          `json:",omitempty"` // the program has ended, with this code
		Gone   bool          `json:",omitempty"` // and nothing of it is left
		Empty  bool          `json:",omitempty"` // End is done
	}
)

const (
	// pipeBuffer is more than most messages.
	pipeBuffer = 64 << 10
	// glance is how often somebody is looked for who gives the waiting up, in milliseconds.
	glance = 100
	// pipeTime is how long a host may take from its start to the pipe.
	pipeTime = 30 * time.Second
)

// pipe is a named pipe for one client.
type pipe struct {
	name   string
	handle windows.Handle
}

// newPipe makes a pipe that only these accounts can open, given as an SDDL text, and nobody over a network.
func newPipe(access string) (*pipe, error) {
	attributes, err := acl.Attributes(access)
	if err != nil {
		return nil, fmt.Errorf("describing who may open a pipe: %w", err)
	}
	name := `\\.\pipe\runner-bootstrap-life-` + rand.Text()
	text, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return nil, err
	}
	handle, err := windows.CreateNamedPipe(text,
		windows.PIPE_ACCESS_DUPLEX|windows.FILE_FLAG_FIRST_PIPE_INSTANCE|windows.FILE_FLAG_OVERLAPPED,
		windows.PIPE_TYPE_BYTE|windows.PIPE_READMODE_BYTE|windows.PIPE_WAIT|windows.PIPE_REJECT_REMOTE_CLIENTS,
		1, pipeBuffer, pipeBuffer, 0, attributes)
	if err != nil {
		return nil, fmt.Errorf("making pipe %q: %w", name, err)
	}
	return &pipe{name: name, handle: handle}, nil
}

// accept waits for the client, which is to be the process pid, and gives the pipe as a file. The pipe is gone after a failure.
func (p *pipe) accept(ctx context.Context) (*os.File, error) {
	event, err := windows.CreateEvent(nil, 1, 0, nil)
	if err != nil {
		return nil, errors.Join(err, windows.CloseHandle(p.handle))
	}
	defer windows.CloseHandle(event) //nolint:errcheck // nobody waits for it any more
	overlapped := &windows.Overlapped{HEvent: event}
	err = windows.ConnectNamedPipe(p.handle, overlapped)
	if errors.Is(err, windows.ERROR_IO_PENDING) {
		err = p.await(ctx, overlapped)
	}
	if err != nil && !errors.Is(err, windows.ERROR_PIPE_CONNECTED) {
		return nil, errors.Join(fmt.Errorf("waiting at pipe %q: %w", p.name, err), windows.CloseHandle(p.handle))
	}
	return os.NewFile(uintptr(p.handle), p.name), nil
}

func (p *pipe) await(ctx context.Context, overlapped *windows.Overlapped) error {
	for {
		switch event, err := windows.WaitForSingleObject(overlapped.HEvent, glance); {
		case err != nil:
			return err
		case event == windows.WAIT_OBJECT_0:
			var done uint32
			return windows.GetOverlappedResult(p.handle, overlapped, &done, false)
		case ctx.Err() != nil:
			var done uint32
			// The structure is the kernel's until it says that it is done.
			_ = windows.CancelIoEx(p.handle, overlapped)
			_ = windows.GetOverlappedResult(p.handle, overlapped, &done, true)
			return context.Cause(ctx)
		}
	}
}

// client is the process at the other end of an agent's pipe.
func client(file *os.File) (uint32, error) {
	var pid uint32
	raw, err := file.SyscallConn()
	if err != nil {
		return 0, err
	}
	err = errors.Join(raw.Control(func(handle uintptr) {
		if failed := windows.GetNamedPipeClientProcessId(windows.Handle(handle), &pid); failed != nil {
			err = fmt.Errorf("asking who is at the other end: %w", failed)
		}
	}), err)
	return pid, err
}

// give gives a process a handle of its own on a file of this one's.
func give(file *os.File, pid uint32) (uintptr, error) {
	if file == nil {
		return 0, nil
	}
	process, err := windows.OpenProcess(windows.PROCESS_DUP_HANDLE, false, pid)
	if err != nil {
		return 0, fmt.Errorf("opening process %d: %w", pid, err)
	}
	defer windows.CloseHandle(process) //nolint:errcheck // nothing is written to it
	var theirs windows.Handle
	ours := windows.Handle(file.Fd())
	err = windows.DuplicateHandle(windows.CurrentProcess(), ours, process, &theirs, 0, false, windows.DUPLICATE_SAME_ACCESS)
	if err != nil {
		return 0, fmt.Errorf("giving the output to process %d: %w", pid, err)
	}
	return uintptr(theirs), nil
}

const (
	// maxOrder is far more than an environment and arguments have.
	maxOrder = 4 << 20
	// maxReport is far more than any report has. A job has the account of the process that reports, and may have made it its own: the
	// agent, which is the system's, takes in no more.
	maxReport = 64 << 10
)

// talk is one end of a pipe.
type talk struct {
	file *os.File
	in   *bufio.Scanner
	out  *json.Encoder
}

// newTalk is an end that takes in messages of so many bytes.
func newTalk(file *os.File, most int) *talk {
	in := bufio.NewScanner(file)
	in.Buffer(nil, most)
	return &talk{file: file, in: in, out: json.NewEncoder(file)}
}

// hear takes in the next message; [io.EOF] when the other end is gone.
func (t *talk) hear(message any) error {
	if !t.in.Scan() {
		return cmp.Or(t.in.Err(), io.EOF)
	}
	return json.Unmarshal(t.in.Bytes(), message)
}
