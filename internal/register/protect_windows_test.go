package register

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"unsafe"

	"golang.org/x/sys/windows"
)

// plain is what a runner reads of its key, as .NET's ProtectedData does.
func plain(text []byte) ([]byte, error) {
	var read windows.DataBlob
	err := windows.CryptUnprotectData(&windows.DataBlob{Size: uint32(len(text)), Data: &text[0]}, nil, nil, 0, nil, 0, &read)
	if err != nil {
		return nil, err
	}
	defer windows.LocalFree(windows.Handle(unsafe.Pointer(read.Data)))
	return bytes.Clone(unsafe.Slice(read.Data, read.Size)), nil
}

func TestTheKeyIsSealed(t *testing.T) {
	t.Parallel()
	const text = `{"d":"secret"}`
	sealed, err := protected(keyFile, []byte(text))
	if err != nil || bytes.Contains(sealed, []byte("secret")) {
		t.Fatalf("%q, %v", sealed, err)
	}
	if got, err := plain(sealed); err != nil || string(got) != text {
		t.Errorf("%q, %v", got, err)
	}
	if other, err := protected(settingsFile, []byte(text)); err != nil || string(other) != text {
		t.Errorf("another file: %q, %v", other, err)
	}
}

// The runner hides the files of its registration. Windows writes over no hidden file, and ours are put in their places all the
// same.
func TestHiddenFilesAreReplaced(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	file := filepath.Join(root, settingsFile)
	name, err := windows.UTF16PtrFromString(file)
	if err == nil {
		err = os.WriteFile(file, []byte("old"), 0o600)
	}
	if err == nil {
		err = windows.SetFileAttributes(name, windows.FILE_ATTRIBUTE_HIDDEN)
	}
	if err != nil {
		t.Fatal(err)
	}
	before := stat(t, file)
	if err := WriteFile(root, settingsFile, []byte("new"), ourselves(t)); err != nil {
		t.Fatal(err)
	}
	if os.SameFile(before, stat(t, file)) {
		t.Error("it was written over, which Wine lets pass, and Windows does not")
	}
	if text, err := ReadFile(root, settingsFile); err != nil || string(text) != "new" {
		t.Errorf("%q, %v", text, err)
	}
}

// stat is what a file is now. That of its path would be asked for when it is compared.
func stat(t *testing.T, path string) os.FileInfo {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return info
}
