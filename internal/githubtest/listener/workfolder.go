package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// validateWork does what the real listener does at its start and before each job: it makes the work folder, lists it and
// every folder above it, and puts a file into it. It has to work, as the account that it runs as.
func (l *listener) validateWork() error {
	work := l.workFolder()
	if err := tryWork(work); err != nil {
		return fmt.Errorf("%w\n%w", saidf("Fail to create and validate runner's work directory '%s'.", work), err)
	}
	return nil
}

func tryWork(work string) error {
	if err := os.MkdirAll(work, 0o755); err != nil {
		return err
	}
	for dir := work; ; dir = filepath.Dir(dir) {
		if err := list(dir); err != nil {
			return err
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	file, err := os.CreateTemp(work, ".validate-*")
	if err != nil {
		return err
	}
	return errors.Join(file.Close(), os.Remove(file.Name()))
}

// list reads the first name in a folder.
func list(dir string) error {
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer folder.Close() //nolint:errcheck // a folder opened for reading has nothing to lose
	if _, err := folder.Readdirnames(1); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}
