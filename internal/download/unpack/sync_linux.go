package unpack

import (
	"os"

	"golang.org/x/sys/unix"
)

func syncTree(dir string) error {
	file, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer file.Close()
	return unix.Syncfs(int(file.Fd()))
}
