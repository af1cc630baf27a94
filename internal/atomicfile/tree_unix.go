//go:build unix && !linux

package atomicfile

import "os"

// SyncTree does what can be done without naming every file.
func SyncTree(dir string) error {
	file, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer file.Close()
	return file.Sync()
}
