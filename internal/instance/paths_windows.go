package instance

import (
	"path/filepath"

	"golang.org/x/sys/windows"
)

// systemPaths keeps the runners' folder short: jobs on Windows still meet
// programs that fail beyond 260 characters.
func systemPaths() Paths {
	data, err := windows.KnownFolderPath(windows.FOLDERID_ProgramData, 0)
	if err != nil {
		data = `C:\ProgramData`
	}
	ours := filepath.Join(data, "runner-bootstrap")
	return Paths{
		Config:  filepath.Join(ours, "config.yaml"),
		State:   filepath.Join(ours, "state"),
		Runners: `C:\actions-runner`,
		Cache:   filepath.Join(ours, "cache"),
		Control: pipes,
	}
}

// lifeName is the name of lives of the runner that has a service, or is of that name.
func lifeName(service string) string { return service + ".host" }

const pipes = `\\.\pipe\runner-bootstrap`

// controlBelow is for the pipes of runners below a directory: the names of pipes are the whole host's, and no two are alike.
func controlBelow(string) string { return pipes }
