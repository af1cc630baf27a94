package workspace

import (
	"bytes"
	"fmt"
	"os"
)

// sameMount tells whether a folder belongs to the same mount as its parent: other
// places of the same file system can be mounted on it, which its device does not
// tell. If in doubt it does not.
func sameMount(parent, folder *os.Root) bool {
	outer, inner := mountOf(parent), mountOf(folder)
	return outer != "" && outer == inner
}

// mountOf returns the number of the mount that a folder belongs to, or nothing.
func mountOf(folder *os.Root) string {
	file, err := folder.Open(".")
	if err != nil {
		return ""
	}
	defer file.Close()
	about, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", file.Fd()))
	if err != nil {
		return ""
	}
	for line := range bytes.Lines(about) {
		if id, found := bytes.CutPrefix(line, []byte("mnt_id:")); found {
			return string(bytes.TrimSpace(id))
		}
	}
	return ""
}
