package plan

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/refusal"
)

// decideUpdate decides who brings newer versions of the runner, and with that whose its files are. What is there already
// stays as it is.
func decideUpdate(r Request, record *instance.Record, known bool, user account.User) error {
	object := fmt.Sprintf("runner %q", record.Name)
	if _, err := os.Lstat(record.Dir); known && !errors.Is(err, fs.ErrNotExist) {
		is := cmp.Or(record.Update, instance.UpdateRunner)
		if r.Update != "" && r.Update != is || record.Rooted() && !r.fresh() {
			return &refusal.Error{Object: object, Reason: ErrOtherUpdate, Detail: is, Name: record.Name}
		}
		return nil
	}
	able := runtime.GOOS == "linux" && account.Privileged() && !user.Self && r.fresh()
	switch {
	case able && r.Update == "":
		record.Update = instance.UpdateAgent
	case !able && (r.Update == instance.UpdateAgent || r.Update == instance.UpdateOff):
		return &refusal.Error{Object: object, Reason: ErrUpdate, Name: record.Name}
	default:
		record.Update = cmp.Or(r.Update, instance.UpdateRunner)
	}
	return nil
}

// fresh tells whether the runner begins each job with another registration, with which its agent brings newer versions, and
// which keeps GitHub from telling it to update itself. A just-in-time configuration does not.
func (r Request) fresh() bool { return r.Identity.Ephemeral && !r.Identity.JIT && r.JIT == nil }
