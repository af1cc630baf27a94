package runnerdir

import (
	"os"
	"path/filepath"
	"runtime"
)

// Startable tells whether a runner's directory has something in the place of its listener that can be started.
func Startable(root string) bool {
	name := "Runner.Listener"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	info, err := os.Stat(filepath.Join(root, "bin", name))
	return err == nil && info.Mode().IsRegular() && (runtime.GOOS == "windows" || info.Mode()&0o111 != 0)
}
