package metadata

import (
	"context"
	"encoding/json"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	azureEventsPath = "/metadata/scheduledevents?api-version=2020-07-01"
	azureNamePath   = "/metadata/instance/compute/name?api-version=2021-02-01&format=text"
	// azureComputePath has a version from before the answer got the data that users give
	// to their machines, which alone can be larger than maxBody.
	azureComputePath = "/metadata/instance/compute?api-version=2018-10-01"

	// azurePatience is for the first answer: the question makes Azure begin to collect
	// events for this machine, and that takes up to two minutes.
	azurePatience = 130 * time.Second
)

// azure asks for the scheduled events of Azure.
type azure struct {
	service *service
	begun   bool   // events have been answered once
	name    string // of this machine, once it was needed
}

// azureEvent is one of the answer, with the fields that matter here.
type azureEvent struct {
	EventID   text `json:"EventId"`
	EventType text
	Resources names
	NotBefore text // empty when it has begun
}

// UnmarshalJSON makes what is no event one without a meaning, which hides none beside it.
func (e *azureEvent) UnmarshalJSON(raw []byte) error {
	type fields azureEvent
	var event fields
	if json.Unmarshal(raw, &event) == nil {
		*e = azureEvent(event)
	}
	return nil
}

// ask tells of the most urgent event that ends what runs on this machine. One that has begun
// comes before all others.
func (a *azure) ask(ctx context.Context) (*Notice, error) {
	events, said, err := a.events(ctx)
	if err != nil {
		return nil, err
	}
	var first *Notice
	var soonest time.Duration
	for _, event := range events {
		notice, in := event.notice(said)
		if notice.Reason == "" {
			continue
		}
		concerned, nameErr := a.concerns(ctx, event)
		if nameErr != nil {
			err = nameErr
		}
		if concerned && (first == nil || in < soonest) {
			first, soonest = &notice, in
		}
	}
	return first, err
}

// notice is what an event says, without a reason where that is nothing, and how urgent it is, by the time until then. A time
// that cannot be read counts as told now; but what the machine wakes from again then comes after all others, as it must not
// hide that the machine goes.
func (e azureEvent) notice(said answer) (n Notice, in time.Duration) {
	kind, reason := e.meaning()
	n = Notice{Cloud: Azure, Kind: kind, Reason: reason, At: e.at(), Asks: e.ours()}
	switch {
	case e.NotBefore == "":
		return n, math.MinInt64
	case !n.At.IsZero():
		n.Left = said.left(n.At)
		return n, n.Left
	case kind == Sleeps:
		n.Left = Azure.Shortest()
		return n, math.MaxInt64
	default:
		n.Left = Azure.Shortest()
		return n, n.Left
	}
}

// Acknowledge tells Azure that it need not wait any longer for this machine, which is ready for what is about to
// become of it. An event that concerns other machines as well is left alone: it would begin there, too.
func Acknowledge(ctx context.Context) error {
	a := &azure{service: newService()}
	defer a.service.close()
	events, _, err := a.events(ctx)
	if err != nil {
		return err
	}
	for _, event := range events {
		if kind, reason := event.meaning(); kind != Leaves || reason == "" || !event.ours() {
			continue
		}
		if concerned, err := a.concerns(ctx, event); err != nil || !concerned {
			return err
		}
		if err := a.start(ctx, string(event.EventID)); err != nil {
			return err
		}
	}
	return nil
}

// start has an event begin.
func (a *azure) start(ctx context.Context, id string) error {
	type request struct{ EventId string } //nolint:revive,staticcheck // as Azure spells it
	body, err := json.Marshal(struct{ StartRequests []request }{[]request{{id}}})
	if err != nil {
		return err
	}
	q := question{method: http.MethodPost, path: azureEventsPath, header: azureHeader(), body: string(body)}
	said, err := a.service.ask(ctx, q)
	if err == nil && said.status/100 != 2 {
		err = q.refused(said)
	}
	return err
}

func (a *azure) events(ctx context.Context) ([]azureEvent, answer, error) {
	q := question{path: azureEventsPath}
	if !a.begun {
		q.patience = azurePatience
	}
	said, err := a.get(ctx, q)
	if err != nil {
		return nil, answer{}, err
	}
	var list struct{ Events []azureEvent }
	if err := json.Unmarshal([]byte(said.body), &list); err != nil {
		return nil, answer{}, q.unclear("answer is not the expected JSON")
	}
	a.begun = true
	return list.Events, said, nil
}

// meaning is empty for an event that leaves the machine running, such as Freeze,
// which pauses it for seconds. One that restarts it ends its job, too; but once it
// has begun it may be over as well, as it stays listed for a while after the restart.
func (e azureEvent) meaning() (Kind, string) {
	begun := e.NotBefore == ""
	switch {
	case e.EventType == "Preempt":
		return Leaves, "spot virtual machine will be deleted"
	case e.EventType == "Terminate":
		return Leaves, "virtual machine will be deleted"
	case e.EventType == "Reboot" && !begun:
		return Sleeps, "virtual machine will be restarted"
	case e.EventType == "Redeploy" && !begun:
		return Sleeps, "virtual machine will be moved to another host and restarted"
	default:
		return Leaves, ""
	}
}

// ours tells whether an event waits, and for this machine alone.
func (e azureEvent) ours() bool {
	return e.NotBefore != "" && e.EventID != "" && len(e.Resources.list) == 1 && !e.Resources.unread
}

// at is zero for an event that has begun, or whose time cannot be read.
func (e azureEvent) at() time.Time {
	at, err := http.ParseTime(string(e.NotBefore))
	if err != nil || !isTime(at) {
		return time.Time{}
	}
	return at
}

// concerns tells whether an event is about this machine, since those of all machines
// of an availability set are told to each. The name is asked when the first event is
// there, and if it cannot be had, with an error, every event might be ours. So might one whose machines cannot be read.
func (a *azure) concerns(ctx context.Context, event azureEvent) (bool, error) {
	if a.name == "" {
		q := question{path: azureNamePath}
		said, err := a.get(ctx, q)
		if err != nil {
			return true, err
		}
		name := strings.TrimSpace(said.body)
		if name == "" {
			return true, q.unclear("answer is an empty name")
		}
		a.name = name
	}
	return event.Resources.unread || slices.ContainsFunc(event.Resources.list, func(resource string) bool {
		return strings.EqualFold(resource, a.name)
	}), nil
}

func (a *azure) get(ctx context.Context, q question) (answer, error) {
	q.header = azureHeader()
	said, err := a.service.ask(ctx, q)
	if err != nil {
		return answer{}, err
	}
	if said.status != http.StatusOK {
		return answer{}, q.refused(said)
	}
	return said, nil
}

func azureHeader() map[string]string { return map[string]string{"Metadata": "true"} }

// azureMachine is the answer for azureComputePath, with the fields that matter here.
type azureMachine struct {
	VMID     string `json:"vmId"`
	Location string `json:"location"`
	Zone     string `json:"zone"` // empty for a machine that is bound to none
	VMSize   string `json:"vmSize"`
}

func (a *azure) facts(ctx context.Context) (Facts, error) {
	q := question{path: azureComputePath}
	said, err := a.get(ctx, q)
	if err != nil {
		return Facts{}, err
	}
	var machine azureMachine
	if err := json.Unmarshal([]byte(said.body), &machine); err != nil {
		return Facts{}, q.unclear("answer is not the expected JSON")
	}
	return q.facts(Facts{Azure, machine.VMID, machine.Location, machine.Zone, machine.VMSize})
}
