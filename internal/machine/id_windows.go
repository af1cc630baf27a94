package machine

import (
	"encoding/binary"
	"strings"
	"syscall"
)

// hostID is derived from MachineGuid, which sysprep /generalize changes.
func hostID() string {
	path, err := syscall.UTF16PtrFromString(`SOFTWARE\Microsoft\Cryptography`)
	if err != nil {
		return ""
	}
	const inItsOwnView = 0x0100 // KEY_WOW64_64KEY
	var key syscall.Handle
	if syscall.RegOpenKeyEx(syscall.HKEY_LOCAL_MACHINE, path, 0, syscall.KEY_READ|inItsOwnView, &key) != nil {
		return ""
	}
	defer syscall.RegCloseKey(key) //nolint:errcheck // nothing was written
	name, err := syscall.UTF16PtrFromString("MachineGuid")
	if err != nil {
		return ""
	}
	var raw [128]byte
	size, kind := uint32(len(raw)), uint32(0)
	if syscall.RegQueryValueEx(key, name, nil, &kind, &raw[0], &size) != nil || kind != syscall.REG_SZ {
		return ""
	}
	var text [len(raw) / 2]uint16
	for i := range text {
		text[i] = binary.LittleEndian.Uint16(raw[2*i:])
	}
	return derived(strings.ToLower(strings.ReplaceAll(syscall.UTF16ToString(text[:]), "-", "")))
}

func firmwareID() string { return "" }

func oneProgram() bool { return false }
