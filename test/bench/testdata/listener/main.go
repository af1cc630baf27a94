// Listener stands in for bin/Runner.Listener where it counts when it is started,
// and what keeps it alive. It writes its process id and the time of the monotonic
// clock to the pipe "started" in the folder above its own, says what the real one
// says when it is connected, and ends on an interrupt.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

func main() {
	var now unix.Timespec // first of all: the rest is not what is measured
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		fail(err)
	}
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGINT, syscall.SIGTERM)
	self, err := os.Executable()
	if err != nil {
		fail(err)
	}
	started, err := os.OpenFile(filepath.Join(filepath.Dir(self), "..", "started"), os.O_WRONLY, 0)
	if err != nil {
		fail(err)
	}
	fmt.Println("Current runner version: '2.337.0'")
	fmt.Println("Listening for Jobs")
	if _, err := fmt.Fprintf(started, "%d %d\n", os.Getpid(), now.Nano()); err != nil {
		fail(err)
	}
	if err := started.Close(); err != nil {
		fail(err)
	}
	fmt.Println("Ended by", <-asked)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "listener:", err)
	os.Exit(1)
}
