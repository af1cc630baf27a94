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
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/windows"

	"github.com/runner-bootstrap/runner-bootstrap/internal/namedpipe"
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

// pipeTime is how long a host may take from its start to the pipe.
const pipeTime = 30 * time.Second

// pipe is a named pipe for one client.
type pipe struct {
	name   string
	handle windows.Handle
}

// newPipe makes a pipe that only these accounts can open, given as an SDDL text, and nobody over a network.
func newPipe(access string) (*pipe, error) {
	name := `\\.\pipe\runner-bootstrap-life-` + rand.Text()
	handle, err := namedpipe.First(name, access, 1)
	if err != nil {
		return nil, fmt.Errorf("making pipe %q: %w", name, err)
	}
	return &pipe{name: name, handle: handle}, nil
}

// accept waits for the client, and gives the pipe as a file. The pipe is gone after a failure.
func (p *pipe) accept(ctx context.Context) (*os.File, error) {
	stop, err := windows.CreateEvent(nil, 1, 0, nil)
	if err != nil {
		return nil, errors.Join(err, windows.CloseHandle(p.handle))
	}
	defer windows.CloseHandle(stop) //nolint:errcheck // nobody waits for it any more
	told := make(chan struct{})
	forget := context.AfterFunc(ctx, func() {
		defer close(told)
		_ = windows.SetEvent(stop) // which is open until then
	})
	err = namedpipe.Await(p.handle, stop)
	if !forget() {
		<-told
	}
	if errors.Is(err, net.ErrClosed) && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("waiting at pipe %q: %w", p.name, err), windows.CloseHandle(p.handle))
	}
	return os.NewFile(uintptr(p.handle), p.name), nil
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
