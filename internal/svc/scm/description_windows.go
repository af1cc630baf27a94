package scm

import (
	"errors"
	"fmt"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
)

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
