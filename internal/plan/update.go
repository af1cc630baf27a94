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

// decideUpdate decides who brings newer versions of the runner, and with that whose its files are. What an earlier install
// has decided stays as it is, unless the runner is to be registered in a way that needs the other; another way is refused
// where its files are there, or GitHub has been told.
func decideUpdate(p *planner) error {
	r, record := p.Request, &p.Record
	object := fmt.Sprintf("runner %q", record.Name)
	if _, err := os.Lstat(record.Dir); p.known && (record.RunnerID != 0 || !errors.Is(err, fs.ErrNotExist)) {
		if record.Rooted() && !r.rootable() {
			return becomeUpdater(p)
		}
		if is := cmp.Or(record.Update, instance.UpdateRunner); r.Update != "" && r.Update != is {
			return &refusal.Error{Object: object, Reason: ErrOtherUpdate, Detail: is, Name: record.Name}
		}
		return nil
	}
	able := runtime.GOOS != "darwin" && account.Privileged() && !p.JobUser.Self && r.rootable()
	learns := able && learnsVersions(p)
	asked := cmp.Or(r.Update, record.Update) // an install that was interrupted has a record
	switch {
	case !able && (asked == instance.UpdateAgent || asked == instance.UpdateOff):
		return &refusal.Error{Object: object, Reason: ErrUpdate, Name: record.Name}
	case !learns && asked == instance.UpdateAgent:
		return &refusal.Error{Object: object, Reason: ErrUntold, Name: record.Name, Scope: r.Scope}
	case learns && asked == "":
		record.Update = instance.UpdateAgent
	default:
		record.Update = cmp.Or(asked, instance.UpdateRunner)
	}
	warnOfUpdate(p, able && asked == "")
	return nil
}

// becomeUpdater has a runner whose files are root's update itself from now on. That is for one which registers otherwise than
// before: the plan of its registration refuses it where that was not asked for, or a supervisor is at work. Its files
// become the account's when its next supervisor starts.
func becomeUpdater(p *planner) error {
	if asked := p.Request.Update; asked != "" && asked != instance.UpdateRunner {
		return &refusal.Error{Object: fmt.Sprintf("runner %q", p.Record.Name), Reason: ErrUpdate, Name: p.Record.Name}
	}
	p.Record.Update = instance.UpdateRunner
	p.plan.warn("a just-in-time configuration lets the runner update itself, so its files, which are root's, become those of its " +
		"jobs' account when it starts")
	return nil
}

// learnsVersions tells whether an agent can learn of newer versions, or is to bring none. On github.com and GHE.com
// everybody can see the public releases; GitHub Enterprise Server tells only who has a credential, and the one of this call
// may be gone when the agent asks.
func learnsVersions(p *planner) bool {
	return p.Request.Scope.Cloud() || p.Request.Identity.DisableUpdate || !p.credential().Empty()
}

// warnOfUpdate says what is not as it would be elsewhere: free is set where the files could be root's, and nobody has
// asked for another way.
func warnOfUpdate(p *planner, free bool) {
	r := p.Request
	switch {
	case free && !p.Record.Rooted():
		p.plan.warn("no token is kept, so the runner updates itself") // what comes of that is in docs/guides/upgrade.md
	case p.Record.Update == instance.UpdateAgent && r.pinned() && !r.Identity.DisableUpdate && r.Scope.Cloud():
		p.plan.warn("the runner stays at the version that was asked for, and GitHub gives it no job 30 days after a newer one is out; " +
			"--update runner lets it update itself")
	}
}

// rootable tells whether GitHub can be kept from telling the runner to update itself, which it cannot where its files are
// root's. A just-in-time configuration does not say so.
func (r Request) rootable() bool { return !r.Identity.JIT && r.JIT == nil }

// pinned tells whether one version is asked for, by its number or its archive.
func (r Request) pinned() bool { return r.Source.Version != "" || r.Source.Archive != "" }
