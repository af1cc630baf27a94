package scm

import (
	"errors"
	"fmt"
	"syscall"
	"time"
	"unicode/utf16"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc/mgr"
)

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
	// Closed keeps everybody but the system and administrators from telling the service anything: by Windows' own list every service,
	// and so every job, and everybody who is logged on may send it controls of its own, and one of ours ends the running job.
	Closed bool
	// Describe is a line for people.
	Describe string
}

// Keep sets what the manager does for a service. What a manager does not know is no failure, and is returned.
func Keep(name string, u Upkeep) (unknown []string, err error) {
	rights := uint32(windows.SERVICE_CHANGE_CONFIG | windows.SERVICE_QUERY_CONFIG | windows.SERVICE_START)
	if u.Closed {
		rights |= windows.WRITE_DAC
	}
	service, release, err := open(name, rights)
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
	if u.Closed {
		err = errors.Join(err, closeTo(service.Handle))
	}
	return unknown, err
}

// closed is Windows' own list for services less the right of others to send controls: they may look at it.
const closed = "D:(A;;CCLCSWRPWPDTLOCRRC;;;SY)(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;BA)(A;;CCLCSWLORC;;;IU)(A;;CCLCSWLORC;;;SU)"

// closeTo gives a service that list.
func closeTo(service windows.Handle) error {
	descriptor, err := windows.SecurityDescriptorFromString(closed)
	if err != nil {
		return fmt.Errorf("describing who may tell it something: %w", err)
	}
	list, _, err := descriptor.DACL()
	if err == nil {
		err = windows.SetSecurityInfo(service, windows.SE_SERVICE, windows.DACL_SECURITY_INFORMATION, nil, nil, list, nil)
	}
	if err != nil {
		return fmt.Errorf("setting who may tell it something: %w", err)
	}
	return nil
}

// multiString is a list of words as Windows takes one: each with a zero behind it, and one more at the end.
func multiString(words []string) []uint16 {
	var list []uint16
	for _, word := range words {
		list = append(append(list, utf16.Encode([]rune(word))...), 0)
	}
	return append(list, 0)
}
