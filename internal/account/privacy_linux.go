package account

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// HideMemory keeps other processes of this account from reading what this one holds: jobs may
// run as the same one. Variables are those of its environment that are secrets: their values
// stay for this process, and disappear from what the system shows of it. Programs that are
// started later are not affected. It may be repeated; the error is that the memory is not hidden.
func HideMemory(variables ...string) error {
	// First: the file is no longer ours to open afterwards.
	wiped := wipe(variables)
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("hiding the memory of this process: %w", errors.Join(err, wiped))
	}
	return nil // without the first, the second does: the environment is memory, too
}

// wipe overwrites the values of variables where this process was given them.
func wipe(variables []string) error {
	if len(variables) == 0 {
		return nil
	}
	from, to, err := environment()
	if err != nil {
		return err
	}
	memory, err := os.OpenFile("/proc/self/mem", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer memory.Close()
	block := make([]byte, to-from)
	if _, err := io.ReadFull(io.NewSectionReader(memory, from, to-from), block); err != nil {
		return err
	}
	at := from
	for variable := range bytes.SplitSeq(block, []byte{0}) {
		name, value, _ := bytes.Cut(variable, []byte("="))
		for _, secret := range variables {
			if string(name) == secret && len(value) > 0 {
				if _, err := memory.WriteAt(make([]byte, len(value)), at+int64(len(name))+1); err != nil {
					return err
				}
			}
		}
		at += int64(len(variable)) + 1
	}
	return nil
}

// environment is where in memory the environment lies that this process was given.
func environment() (from, to int64, err error) {
	text, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return 0, 0, err
	}
	// The name, the second field, may hold anything, parentheses too.
	const third, begin, end = 3, 50, 51 // proc(5)
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) <= end-third {
		return 0, 0, errors.New("reading /proc/self/stat: it does not tell where the environment is")
	}
	from, err = strconv.ParseInt(fields[begin-third], 10, 64)
	if err != nil {
		return 0, 0, err
	}
	to, err = strconv.ParseInt(fields[end-third], 10, 64)
	if err == nil && (from <= 0 || to < from) {
		err = errors.New("reading /proc/self/stat: it does not tell where the environment is")
	}
	return from, to, err
}
