//go:build unix

package bootstrap_test

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
)

const (
	// holdVariable makes the test's own program the supervisor of a runner in that state directory, and stubbornVariable
	// one that does not end when it is asked to.
	holdVariable     = "BOOTSTRAP_TEST_HOLD"
	stubbornVariable = "BOOTSTRAP_TEST_STUBBORN"
)

// holdRunner does what a supervisor does as far as others see it: it holds the lock, reports, and obeys signals. It ends
// after a while in any case. A file "deaf" in the state directory has it obey no more.
func holdRunner(state string) error {
	store := instance.NewStore(state)
	told := make(chan os.Signal, 4)
	signal.Notify(told, syscall.SIGTERM, syscall.SIGINT, syscall.SIGUSR1, syscall.SIGUSR2)
	lock, err := store.LockRunner(context.Background(), runnerName)
	if err != nil {
		return err
	}
	defer lock.Release()
	report := instance.Report{State: instance.Idle, PID: os.Getpid(), Since: time.Now()}
	over := time.After(time.Minute)
	for {
		if err := store.SaveReport(runnerName, report); err != nil {
			return err
		}
		select {
		case <-over:
			return nil
		case what := <-told:
			if _, err := os.Stat(filepath.Join(state, "deaf")); err == nil {
				continue
			}
			switch what {
			case syscall.SIGUSR1:
				report.State, report.Draining = instance.Drained, true
			case syscall.SIGUSR2:
				report.State, report.Draining = instance.Idle, false
			default:
				if os.Getenv(stubbornVariable) == "" {
					return nil
				}
			}
		}
	}
}
