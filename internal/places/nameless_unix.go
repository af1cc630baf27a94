//go:build unix

package places

import (
	"errors"
	"os"
)

// briefly makes a file, and takes its name away.
func briefly(dir string) (*os.File, error) {
	file, err := os.CreateTemp(dir, ".runner-bootstrap-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(file.Name()); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}
