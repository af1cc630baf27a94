//go:build unix

package workspace_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/workspace"
)

// planted makes a folder for logs with what a job can leave in it: logs, what bears the name of one, and other things.
func planted(t *testing.T, root string) (logs, named, others []string) {
	t.Helper()
	dir := filepath.Join(root, "_diag")
	second := func(kind string, from time.Duration) string {
		return kind + time.Now().Add(from).UTC().Format("_20060102-150405-utc.log")
	}
	logs = []string{second("Runner", -time.Minute), second("Worker", -24*time.Hour), "Runner_1.log", "Worker_1.log"}
	plant(t, dir, logs...)
	named = []string{"Runner_pipe.log", second("Runner", 10*time.Second), "Worker_socket.log", "Runner_link.log", "Worker_folder.log", "Runner_shut.log", "Runner_read.log"}
	for _, name := range named[:2] {
		check(t, syscall.Mkfifo(filepath.Join(dir, name), 0o600))
	}
	socket, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	check(t, err)
	t.Cleanup(func() { syscall.Close(socket) })
	t.Chdir(dir) // a path may be too long for a socket
	check(t, syscall.Bind(socket, &syscall.SockaddrUnix{Name: named[2]}))
	link(t, "Runner_pipe.log", dir, named[3])
	plant(t, dir, named[4]+"/deep/x", named[5], named[6])
	check(t, os.Chmod(filepath.Join(dir, named[5]), 0))
	check(t, os.Chmod(filepath.Join(dir, named[6]), 0o400))
	others = []string{"pages", "blocks", "setuid", "Runner_setuid.log", "stash", "Worker_1.log.old", "pipe", second("Worker", time.Hour)}
	plant(t, dir, "setuid", "Runner_setuid.log", "stash/x", "Worker_1.log.old", others[7])
	for _, name := range []string{"setuid", "Runner_setuid.log"} {
		check(t, os.Chmod(filepath.Join(dir, name), 0o755|fs.ModeSetuid))
	}
	check(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	return logs, named, others
}

// TestLogsAlone: of the folder for logs an ephemeral job leaves the next one the logs, and nothing else.
func TestLogsAlone(t *testing.T) {
	root := runner(t)
	logs, named, others := planted(t, root)
	plant(t, root, "_diag/lost+found/")
	check(t, workspace.EmptyLogs(root, os.Getuid()))
	expect(t, filepath.Join(root, "_diag"), append(logs, "lost+found"), append(named, others...))
	plant(t, root, "_diag/Runner_1.log")
	check(t, workspace.Empty(root, "", os.Getuid()+1)) // what is another's bears only the name
	expect(t, filepath.Join(root, "_diag"), nil, logs)
}

// TestNoLogIsAPipe: a persistent runner keeps all but what would stop its listener.
func TestNoLogIsAPipe(t *testing.T) {
	root := runner(t)
	logs, named, others := planted(t, root)
	if os.Getuid() == 0 {
		removed, err := workspace.Straighten(root, "", 1)
		check(t, err)
		expect(t, filepath.Join(root, "_diag"), append(append(logs, named...), others...), nil)
		if len(removed) > 0 {
			t.Errorf("of another's: %q", removed)
		}
	}
	removed, err := workspace.Straighten(root, "", os.Getuid())
	check(t, err)
	expect(t, filepath.Join(root, "_diag"), append(logs, others...), named)
	if len(removed) != len(named) || !slices.Contains(removed, "_diag/Runner_pipe.log") {
		t.Errorf("it tells of %q", removed)
	}
}
