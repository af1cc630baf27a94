package register

import (
	"path/filepath"
	"slices"
)

// Program is what GitHub's own program is called that registers runners, and removes them.
const Program = "Runner.Listener.exe"

// configCommand is the runner's own program that speaks to GitHub, in a copy of the runner. It is not config.cmd, which does
// no more than to start it (actions/runner, config.cmd): cmd.exe takes parts of labels and names for commands.
func configCommand(dir string, arguments []string) []string {
	verb := []string{"configure"}
	if len(arguments) > 0 && arguments[0] == "remove" {
		verb = nil
	}
	return slices.Concat([]string{filepath.Join(dir, "bin", "Runner.Listener.exe")}, verb, arguments)
}
