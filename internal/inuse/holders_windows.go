package inuse

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/windows"
)

// mostHolders is how many programs are told.
const mostHolders = 5

// holder is RM_PROCESS_INFO.
type holder struct {
	process     uint32
	started     windows.Filetime
	application [256]uint16
	service     [64]uint16
	kind        uint32
	status      uint32
	session     uint32
	restartable int32
}

// holders names the programs that have one of several files open, a few of them at most. The Restart Manager knows them:
// installers ask it what they have to end before they replace a program. Without its answer there are none: it is not on every
// system, and says nothing about folders.
func holders(paths []string) []string {
	manager := windows.NewLazySystemDLL("rstrtmgr.dll")
	if manager.Load() != nil {
		return nil
	}
	const keyLength = 33 // CCH_RM_SESSION_KEY and a zero
	var key [keyLength]uint16
	var session uint32
	//nolint:gosec // as the system wants it
	code, _, _ := manager.NewProc("RmStartSession").Call(uintptr(unsafe.Pointer(&session)), 0, uintptr(unsafe.Pointer(&key[0])))
	if code != 0 {
		return nil
	}
	defer manager.NewProc("RmEndSession").Call(uintptr(session)) //nolint:errcheck // it ends with this process
	files := make([]*uint16, 0, len(paths))
	for _, path := range paths {
		if name, err := windows.UTF16PtrFromString(path); err == nil {
			files = append(files, name)
		}
	}
	if len(files) == 0 {
		return nil
	}
	code, _, _ = manager.NewProc("RmRegisterResources").Call(
		uintptr(session), uintptr(len(files)), uintptr(unsafe.Pointer(&files[0])), 0, 0, 0, 0) //nolint:gosec // as above
	if code != 0 {
		return nil
	}
	var found [mostHolders]holder
	var needed, reasons uint32
	count := uint32(len(found))
	//nolint:gosec // as above
	code, _, _ = manager.NewProc("RmGetList").Call(
		uintptr(session), uintptr(unsafe.Pointer(&needed)), uintptr(unsafe.Pointer(&count)),
		uintptr(unsafe.Pointer(&found[0])), uintptr(unsafe.Pointer(&reasons)))
	if code != 0 && windows.Errno(code) != windows.ERROR_MORE_DATA {
		return nil
	}
	names := make([]string, 0, mostHolders)
	for _, h := range found[:min(count, mostHolders)] {
		if h.process == 0 {
			break // it was not filled in, as there are more
		}
		names = append(names, fmt.Sprintf("%s (process %d)", windows.UTF16ToString(h.application[:]), h.process))
	}
	return names
}
