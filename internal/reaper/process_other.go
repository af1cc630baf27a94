//go:build !linux

package reaper

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// Look fails with errors.ErrUnsupported.
func Look(pid int) (Process, error) {
	return Process{}, fmt.Errorf("looking at process %d: %w", pid, errors.ErrUnsupported)
}

// Alive is false.
func (Process) Alive() bool { return false }

// Signal fails with errors.ErrUnsupported.
func (p Process) Signal(os.Signal) error {
	return fmt.Errorf("signalling process %d: %w", p.PID, errors.ErrUnsupported)
}

// Subreaper changes nothing.
func Subreaper() error { return nil }

// EndDescendants ends nothing.
func EndDescendants(context.Context, time.Duration) (ended int, err error) { return 0, nil }

// Scripted finds nothing.
func Scripted(string, int) bool { return false }

// Strays finds nothing.
func Strays(int, string, string) ([]Stray, error) { return nil, nil }

// EndOrphans ends nothing.
func EndOrphans(context.Context, string, int, Process, time.Duration) (ended int, err error) {
	return 0, nil
}
