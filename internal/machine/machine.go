// Package machine tells this machine from others that were copied from its disk: clones of a virtual machine, hosts that
// were started from an image which was not sealed.
package machine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/metadata"
	"github.com/runner-bootstrap/runner-bootstrap/internal/refusal"
)

// ErrCopied means that a runner was installed on another machine, of which this one is a copy. It is the other one's:
// nothing of it may be started here, or taken away from GitHub.
var ErrCopied = errors.New("this machine is a copy of the one that it was installed on")

const (
	// shortWait is how long a cloud is asked where nothing else speaks for another machine, and longWait where
	// something does: a start waits for no longer.
	shortWait = 2 * time.Second
	longWait  = 15 * time.Second
)

// Witness knows which machine this is. The zero value knows nothing, and takes no machine for another one.
type Witness struct {
	// Here is what this host says of itself.
	Here instance.Machine
	// Ask asks the cloud for the facts of this machine; nil: it is not asked.
	Ask func(context.Context) (metadata.Facts, error)
}

// New is the witness of this host. In a container that holds one program nothing is known: its machine-id comes with the
// image, its firmware and its cloud are those of the host, and its state may move on to the container that replaces it.
func New() Witness {
	if oneProgram() {
		return Witness{}
	}
	return Witness{Here: instance.Machine{ID: hostID(), Firmware: firmwareID()}, Ask: once(metadata.Lookup)}
}

// once asks again only after a failure.
func once(ask func(context.Context) (metadata.Facts, error)) func(context.Context) (metadata.Facts, error) {
	var lock sync.Mutex
	var known metadata.Facts
	return func(ctx context.Context) (metadata.Facts, error) {
		lock.Lock()
		defer lock.Unlock()
		if known.InstanceID != "" {
			return known, nil
		}
		facts, err := ask(ctx)
		if err == nil {
			known = facts
		}
		return facts, err
	}
}

// Check returns nil for a runner of this machine, and for one whose record or whose machine says too little; otherwise an
// error that matches [ErrCopied] and says what differs.
//
// The nearest witness decides. The identifier that the firmware gives a (virtual) machine stays with it: where it is the same,
// so is the machine, whatever became of the machine-id on its disk. Where it is not, the cloud is asked, for a bounded time: an
// instance keeps its id, also when it moves to other hardware. Where neither is known on both sides, the machine-id is.
func (w Witness) Check(ctx context.Context, record instance.Record) error {
	then, here := record.Machine, w.Here
	if same, known := compare(then.Firmware, here.Firmware); known && same {
		return nil
	}
	differs := w.differs(then)
	if then.Instance != "" && w.Ask != nil {
		wait := shortWait
		if differs != "" {
			wait = longWait
		}
		limited, cancel := context.WithTimeout(ctx, wait)
		facts, err := w.Ask(limited)
		cancel()
		if err == nil && string(facts.Cloud) == then.Cloud {
			if facts.InstanceID == then.Instance {
				return nil
			}
			differs = fmt.Sprintf("that was instance %s, and this is %s", then.Instance, facts.InstanceID)
		}
	}
	if differs == "" {
		return nil
	}
	scope, err := github.ParseScope(record.ScopeURL, record.APIURL)
	if err != nil {
		scope = github.Scope{} // it is for the hint
	}
	return &refusal.Error{
		Object: fmt.Sprintf("runner %q on this host", record.Name), Reason: ErrCopied, Detail: differs, Name: record.Name, Scope: scope,
	}
}

// differs says what this host itself knows to be another; empty if nothing.
func (w Witness) differs(then instance.Machine) string {
	if same, known := compare(then.Firmware, w.Here.Firmware); known && !same {
		return "its firmware has another UUID"
	}
	if same, known := compare(then.ID, w.Here.ID); known && !same {
		return "it has another machine-id"
	}
	return ""
}

func compare(a, b string) (same, known bool) { return a == b, a != "" && b != "" }

// Learn adds to what a record knows of its machine what this host says now, after [Witness.Check] has found that it is
// the same one. Facts may be empty.
func (w Witness) Learn(then instance.Machine, facts metadata.Facts) instance.Machine {
	for _, one := range []struct {
		known *string
		now   string
	}{
		{&then.ID, w.Here.ID}, {&then.Firmware, w.Here.Firmware},
	} {
		if one.now != "" {
			*one.known = one.now
		}
	}
	if facts.InstanceID != "" {
		then.Cloud, then.Instance = string(facts.Cloud), facts.InstanceID
	}
	return then
}
