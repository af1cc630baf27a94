//go:build !linux

package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"time"
)

// The program stops before it comes here: these let it compile, and its tests
// run, on every platform.

func ownGroup(*exec.Cmd) {}

func asBooted(context.Context, []string) error { return errors.ErrUnsupported }

func shareMounts() error { return errors.ErrUnsupported }

func endWithParent(*exec.Cmd) {}

func runAs(*exec.Cmd, uint32, uint32) {}

func endOwnGroup() {}

func reportFile() *os.File { return nil }

func peakRSS(*os.ProcessState) int64 { return 0 }

func lockFile(string) (*os.File, error) { return nil, errors.ErrUnsupported }

func syncFileSystem(string) error { return errors.ErrUnsupported }

func mountVolume(context.Context, string, string, filesystem) error { return errors.ErrUnsupported }

func unmountVolume(string) error { return errors.ErrUnsupported }

func releaseImage(string) error { return errors.ErrUnsupported }

func mountsBelow(string) ([]string, error) { return nil, errors.ErrUnsupported }

func describeHost() host { return host{} }

func loadAverage() float64 { return 0 }

func stolenTime() time.Duration { return 0 }

func unusedTime() time.Duration { return 0 }

func monotonic() time.Duration { return 0 }

func makePipe(string) error { return errors.ErrUnsupported }
