package doctor

import (
	"context"
	"errors"
	"io/fs"

	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/refusal"
	"github.com/runner-bootstrap/runner-bootstrap/internal/shell"
)

// copies looks for runners that this host has from another machine, of which it is a copy. An install forgets them.
func copies(ctx context.Context, h Host) []Finding {
	const check = "machine"
	if h.Machine.Here == (instance.Machine{}) {
		return skipped(check, "nothing tells this machine from a copy of it")
	}
	records, err := instance.NewStore(h.Paths.State).List()
	if errors.Is(err, fs.ErrPermission) {
		return skipped(check, "only %s may read what is remembered of runners here", shell.Here().Root)
	}
	var found []Finding
	for _, record := range records {
		var refused *refusal.Error
		if errors.As(h.Machine.Check(ctx, record), &refused) {
			found = append(found, Finding{
				Check: check, State: Warning, Object: record.Name, Cause: refused,
				Found: refused.Reason.Error() + ": " + refused.Detail + "; nothing of it is started here",
			})
		}
	}
	if err != nil {
		found = append(found, Finding{Check: check, State: Warning, Object: h.Paths.State, Found: err.Error(), Fix: h.asRoot()})
	}
	if len(found) == 0 {
		return one(check, OK, "", "no runner here is of another machine", "")
	}
	return found
}
