//go:build unix

package register

import "path/filepath"

// Program is what GitHub's own program is called that registers runners, and removes them.
const Program = "config.sh"

// configCommand is the runner's own program that speaks to GitHub, in a copy of the runner.
func configCommand(dir string, arguments []string) []string {
	return append([]string{filepath.Join(dir, "config.sh")}, arguments...)
}
