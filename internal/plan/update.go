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
		if r.Update != "" && r.Update != is || record.Rooted() && !r.rootable() {
			return &refusal.Error{Object: object, Reason: ErrOtherUpdate, Detail: is, Name: record.Name}
		}
		return nil
	}
	able := runtime.GOOS == "linux" && account.Privileged() && !user.Self && r.rootable()
	switch {
	case able && r.Update == "" && r.Identity.Ephemeral:
		record.Update = instance.UpdateAgent
	case !able && (r.Update == instance.UpdateAgent || r.Update == instance.UpdateOff):
		return &refusal.Error{Object: object, Reason: ErrUpdate, Name: record.Name}
	default:
		record.Update = cmp.Or(r.Update, instance.UpdateRunner)
	}
	return nil
}

// rootable tells whether GitHub can be kept from telling the runner to update itself, which it cannot where its files are
// root's. A just-in-time configuration does not say so.
func (r Request) rootable() bool { return !r.Identity.JIT && r.JIT == nil }
