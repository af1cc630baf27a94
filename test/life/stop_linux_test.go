package life

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A stop that comes while the agent is being put together is not lost: the command for its credential may take long.
func TestStopBeforeTheBeginning(t *testing.T) {
	t.Parallel()
	for name, signals := range map[string][]syscall.Signal{
		"SIGTERM": {syscall.SIGTERM}, "an interrupt": {syscall.SIGINT},
		"SIGTERM after a drain": {syscall.SIGUSR1, syscall.SIGTERM},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			h.install("--token-file", h.token)
			asked := filepath.Join(h.base, "asked")
			run, err := h.start("run", "--name", runnerName, "--token-command", "touch "+asked+"; exec sleep 50")
			if err != nil {
				t.Fatal(err)
			}
			h.eventually(patience, "the command for the credential", func() error {
				_, err := os.Lstat(asked)
				return err
			})
			for _, signal := range signals {
				if err := run.Process.Signal(signal); err != nil {
					t.Fatal(err)
				}
			}
			if code, err := run.code(patience); err != nil || code != 0 {
				t.Errorf("it ended with %d, %v", code, err)
			}
			if n := len(h.server.Witnesses()); n != 1 { // config.sh
				t.Errorf("%d programs of the runner were started, want one", n)
			}
		})
	}
}
