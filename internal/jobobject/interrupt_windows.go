package jobobject

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"

	"golang.org/x/sys/windows"
)

const (
	// interruptWord is the first argument of a process of ours that sends an interrupt.
	interruptWord = "interrupt-console"
	// interruptTime is many times what that takes.
	interruptTime = 10 * time.Second
)

// Interrupt sends Ctrl-C to the console that the process pid, which [Start] has started, has for itself: to it, and to those of its
// children that share it. A process belongs to one console at a time, so another one of this program does that, which is
// [Interrupter]. It has returned when the interrupt was sent; what comes of it has to be seen.
func Interrupt(pid int) error {
	executable, err := os.Executable()
	if err != nil {
		return fmt.Errorf("interrupting process %d: %w", pid, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), interruptTime)
	defer cancel()
	// It has nobody's output: what else is attached to that console could keep it open.
	cmd := exec.CommandContext(ctx, executable, interruptWord, strconv.Itoa(pid)) //nolint:gosec // it is this program
	cmd.SysProcAttr = &windows.SysProcAttr{CreationFlags: windows.DETACHED_PROCESS}
	err = cmd.Run()
	var ended *exec.ExitError
	if errors.As(err, &ended) && ctx.Err() == nil {
		err = windows.Errno(ended.ExitCode()) //nolint:gosec // it is Windows' number
	}
	if err != nil {
		return fmt.Errorf("interrupting process %d: %w", pid, err)
	}
	return nil
}

// of gives a procedure of the kernel's library.
func of(name string) *windows.LazyProc { return windows.NewLazySystemDLL("kernel32.dll").NewProc(name) }

// Interrupter is to be called before anything else, with the arguments of this program and its name before them. In a process that
// [Interrupt] has started it does what that is for, and returns the code to exit with, which is Windows' number of what has failed;
// in every other it does nothing, and is false.
func Interrupter(args []string) (code int, is bool) {
	if len(args) != 3 || args[1] != interruptWord {
		return 0, false
	}
	pid, err := strconv.ParseUint(args[2], 10, 32)
	if err != nil {
		return int(windows.ERROR_INVALID_PARAMETER), true
	}
	var failed windows.Errno
	if errors.As(interruptConsole(uintptr(pid)), &failed) {
		return int(failed), true //nolint:gosec // numbers of Windows are small
	}
	return 0, true
}

func interruptConsole(pid uintptr) error {
	_, _, _ = of("FreeConsole").Call() // it has none, or one that is not meant
	if ok, _, err := of("AttachConsole").Call(pid); ok == 0 {
		if errors.Is(err, windows.ERROR_INVALID_PARAMETER) || errors.Is(err, windows.ERROR_GEN_FAILURE) {
			return nil // it has ended
		}
		return err
	}
	// This process is attached now, too, and has to stay until it has sent it.
	if ok, _, err := of("SetConsoleCtrlHandler").Call(0, 1); ok == 0 {
		return err
	}
	return windows.GenerateConsoleCtrlEvent(windows.CTRL_C_EVENT, 0)
}
