//go:build unix

package register

import "path/filepath"

// configCommand is the runner's own program that speaks to GitHub, in a copy of the runner.
func configCommand(dir string, arguments []string) []string {
	return append([]string{filepath.Join(dir, "config.sh")}, arguments...)
}
