package jail

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
)

// The first process of a life is this program too. It learns what to do from a socket, where it first gets the file that all is
// written to, and then orders, line by line, and tells on a pipe what has become of them. When the former ends, the process that
// has started it is gone.
const (
	commandName = "runner-bootstrap"
	firstName   = "runner-bootstrap: one life" // what it is called, instead of a command: nobody calls it by accident
	orderFile   = 3
	reportFile  = 4
)

// order is what a first process is told.
type order struct {
	Begin     *beginning `json:"begin,omitempty"`
	Interrupt bool       `json:"interrupt,omitempty"`
	End       bool       `json:"end,omitempty"`
}

// beginning is what a life begins with.
type beginning struct {
	Argv, Env []string
	Dir       string
	UID, GID  int
	Groups    []int
	Self      bool // the account stays as it is
	Isolated  bool // it is the first of namespaces of its own

	Tasks       int
	Grace       time.Duration
	Outlive     []int
	OutliveTime time.Duration
	View        View
	Room        string
}

// lastOfEach leaves out variables that are set again later: programs take the first, as a rule, and systemd the last.
func lastOfEach(environment []string) []string {
	var left []string
	seen := map[string]bool{}
	for _, variable := range slices.Backward(environment) {
		name, _, _ := strings.Cut(variable, "=")
		if !seen[name] {
			left = append(left, variable)
		}
		seen[name] = true
	}
	slices.Reverse(left)
	return left
}

// report is what a first process tells.
type report struct {
	Started int    `json:"started,omitempty"` // the program's number, as it is there
	Failed  string `json:"failed,omitempty"`  // the step at which it was not started, or "-" for the program itself
	Errno   int    `json:"errno,omitempty"`
	Said    string `json:"said,omitempty"` // where there is no errno
	Exit    *Exit  `json:"exit,omitempty"`
}

const itself = "-"

// failure puts an error into words that can be sent.
func failure(step string, err error) report {
	var number syscall.Errno
	if errors.As(err, &number) {
		return report{Failed: step, Errno: int(number)}
	}
	return report{Failed: step, Said: err.Error()}
}

// cause is the error again.
func (r report) cause() error {
	if r.Errno != 0 {
		return syscall.Errno(r.Errno)
	}
	return errors.New(r.Said)
}

// said gives a first process's reports, and io.EOF when it has ended.
func said(from *os.File) func() (report, error) {
	lines := json.NewDecoder(io.LimitReader(from, 1<<20))
	return func() (r report, err error) {
		err = lines.Decode(&r)
		return r, err
	}
}
