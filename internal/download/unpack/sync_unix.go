//go:build unix && !linux

package unpack

import "os"

// syncTree does what can be done without naming every file.
func syncTree(dir string) error {
	file, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer file.Close()
	return file.Sync()
}
