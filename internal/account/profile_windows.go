package account

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

const (
	// profileTries is how often a profile is removed that is still in use: Windows lets go of it a moment after the last process.
	profileTries = 10
	profilePause = 200 * time.Millisecond
)

// DropProfile removes the profile of a virtual account, a folder among those of the users, which Windows has made when the first
// program was started as it. It is for when the account's service is gone. None is success, and so is an account of another kind,
// which is not ours.
func DropProfile(ctx context.Context, name string) error {
	sid, called, known := wellKnown(name)
	if !known || (User{SID: sid}).Kind() != Virtual {
		return nil
	}
	text, err := windows.UTF16PtrFromString(sid)
	if err != nil {
		return err
	}
	for range profileTries {
		if err = deleteProfile(text); !errors.Is(err, windows.ERROR_INVALID_PARAMETER) && !errors.Is(err, windows.ERROR_SHARING_VIOLATION) {
			break
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(profilePause):
		}
	}
	if err != nil && !errors.Is(err, windows.ERROR_FILE_NOT_FOUND) && !errors.Is(err, windows.ERROR_PATH_NOT_FOUND) {
		return fmt.Errorf("removing the profile of account %q: %w", called, err)
	}
	return nil
}

// deleteProfile is DeleteProfileW.
func deleteProfile(sid *uint16) error {
	call := windows.NewLazySystemDLL("userenv.dll").NewProc("DeleteProfileW")
	if absent := call.Find(); absent != nil {
		return nil //nolint:nilerr // what has no such call makes no profiles, as Wine
	}
	if ok, _, err := call.Call(uintptr(unsafe.Pointer(sid)), 0, 0); ok == 0 { //nolint:gosec // as Windows takes texts
		return err
	}
	return nil
}
