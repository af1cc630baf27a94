package atomicfile

import (
	"os"

	"golang.org/x/sys/unix"
)

// SyncTree waits until everything in a folder, and whatever else lies on its file system, is on the disk.
func SyncTree(dir string) error {
	file, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer file.Close()
	return unix.Syncfs(int(file.Fd()))
}
