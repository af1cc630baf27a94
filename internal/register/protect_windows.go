package register

import (
	"bytes"
	"fmt"
	"unsafe"

	"golang.org/x/sys/windows"
)

// protected is a file of a registration as the runner expects it. It keeps its key in a form that this host alone can read, and
// takes no other (actions/runner, RSAEncryptedFileKeyManager.cs).
func protected(name string, text []byte) ([]byte, error) {
	if name != keyFile || len(text) == 0 {
		return text, nil
	}
	var sealed windows.DataBlob
	plain := windows.DataBlob{Size: uint32(len(text)), Data: &text[0]} //nolint:gosec // the text of an answer is shorter
	const flags = windows.CRYPTPROTECT_LOCAL_MACHINE | windows.CRYPTPROTECT_UI_FORBIDDEN
	if err := windows.CryptProtectData(&plain, nil, nil, 0, nil, flags, &sealed); err != nil {
		return nil, fmt.Errorf("protecting the runner's key: %w", err)
	}
	//nolint:gosec // the system's own, which ends here
	defer func() { _, _ = windows.LocalFree(windows.Handle(unsafe.Pointer(sealed.Data))) }()
	return bytes.Clone(unsafe.Slice(sealed.Data, sealed.Size)), nil //nolint:gosec // as the system has it
}
