package namedpipe

import (
	"errors"
	"net"
	"os"

	"golang.org/x/sys/windows"

	"github.com/runner-bootstrap/runner-bootstrap/internal/acl"
)

// buffer is room for what one end has said and the other has not read yet.
const buffer = 64 << 10

// Many is for a pipe that any number of others may be connected to at a time.
const Many = windows.PIPE_UNLIMITED_INSTANCES

// First makes the first instance of a pipe, for one connection of at most so many at a time, as a stream in both directions. It lets in
// whom its list names (SDDL), on this host alone. It fails if there is a pipe of that name.
func First(name, list string, most uint32) (windows.Handle, error) {
	return instance(name, list, most, windows.FILE_FLAG_FIRST_PIPE_INSTANCE)
}

// Next is another instance of a pipe for [Many].
func Next(name, list string) (windows.Handle, error) { return instance(name, list, Many, 0) }

func instance(name, list string, most, flags uint32) (windows.Handle, error) {
	text, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return 0, err
	}
	attributes, err := acl.Attributes(list)
	if err != nil {
		return 0, err
	}
	const mode = windows.PIPE_TYPE_BYTE | windows.PIPE_READMODE_BYTE | windows.PIPE_WAIT | windows.PIPE_REJECT_REMOTE_CLIENTS
	flags |= windows.PIPE_ACCESS_DUPLEX | windows.FILE_FLAG_OVERLAPPED
	handle, err := windows.CreateNamedPipe(text, flags, mode, most, buffer, buffer, 0, attributes)
	if err != nil {
		return 0, os.NewSyscallError("CreateNamedPipe", err)
	}
	return handle, nil
}

// Await returns when somebody has connected to an instance, or the event stop is set: [net.ErrClosed]. Windows' ERROR_NO_DATA is somebody
// who came and went.
func Await(instance, stop windows.Handle) error {
	event, err := windows.CreateEvent(nil, 1, 0, nil)
	if err != nil {
		return err
	}
	defer func() { _ = windows.CloseHandle(event) }() // nothing waits for it any more
	operation := windows.Overlapped{HEvent: event}
	err = windows.ConnectNamedPipe(instance, &operation)
	switch {
	case err == nil, errors.Is(err, windows.ERROR_PIPE_CONNECTED):
		return nil
	case !errors.Is(err, windows.ERROR_IO_PENDING):
		return err
	}
	which, err := windows.WaitForMultipleObjects([]windows.Handle{event, stop}, false, windows.INFINITE)
	var done uint32
	if err != nil || which != windows.WAIT_OBJECT_0 {
		// It may be over by now. Either way the structure is the kernel's until it says that it is done.
		_ = windows.CancelIoEx(instance, &operation)
		_ = windows.GetOverlappedResult(instance, &operation, &done, true)
		return errors.Join(err, net.ErrClosed)
	}
	return windows.GetOverlappedResult(instance, &operation, &done, true)
}
