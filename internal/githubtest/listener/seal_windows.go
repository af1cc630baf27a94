package main

import (
	"bytes"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/windows"
)

// sealed is a text that this host alone can read, as the real runner keeps its key.
func sealed(text []byte) ([]byte, error) {
	return pass(text, func(in, out *windows.DataBlob) error {
		const flags = windows.CRYPTPROTECT_LOCAL_MACHINE | windows.CRYPTPROTECT_UI_FORBIDDEN
		return windows.CryptProtectData(in, nil, nil, 0, nil, flags, out)
	})
}

// unsealed is what [sealed] was given.
func unsealed(text []byte) ([]byte, error) {
	return pass(text, func(in, out *windows.DataBlob) error {
		return windows.CryptUnprotectData(in, nil, nil, 0, nil, windows.CRYPTPROTECT_UI_FORBIDDEN, out)
	})
}

func pass(text []byte, do func(in, out *windows.DataBlob) error) ([]byte, error) {
	if len(text) == 0 {
		return nil, fmt.Errorf("there is nothing to protect")
	}
	var out windows.DataBlob
	//nolint:gosec // a key is shorter
	if err := do(&windows.DataBlob{Size: uint32(len(text)), Data: &text[0]}, &out); err != nil {
		return nil, err
	}
	//nolint:gosec // the system's own, which ends here
	defer func() { _, _ = windows.LocalFree(windows.Handle(unsafe.Pointer(out.Data))) }()
	return bytes.Clone(unsafe.Slice(out.Data, out.Size)), nil //nolint:gosec // as the system has it
}

// hide gives a file the attribute that the real runner gives to the files of its registration.
func hide(path string) error {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return err
	}
	return windows.SetFileAttributes(name, windows.FILE_ATTRIBUTE_HIDDEN)
}

// vacate removes what was hidden: Windows writes over no such file.
func vacate(path string) error {
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}
