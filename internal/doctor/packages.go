package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/libraries"
	"github.com/runner-bootstrap/runner-bootstrap/internal/shell"
)

func (h Host) packages(context.Context) []Finding {
	const check = "packages"
	err := libraries.Held()
	var held *libraries.HeldError
	if !errors.As(err, &held) {
		return one(check, OK, "locks of package managers", "none is held", "")
	}
	state := Warning
	if h.Repairs {
		state = Failed
	}
	fix := "sudo fuser -v " + shell.Quote(held.File)
	if held.PID != 0 {
		fix = fmt.Sprintf("ps -fp %d", held.PID)
	}
	return one(check, state, held.File, strings.TrimPrefix(held.Error(), fmt.Sprintf("locking %q: ", held.File)), fix)
}
