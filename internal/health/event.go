// Package health tells the world outside how a runner lives: events for a
// webhook, and a file of metrics for the node exporter's textfile collector.
package health

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"os"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/pattern"
)

// schema is the version of the JSON of an event. Fields may be added without
// changing it.
const schema = 1

// The types of events.
const (
	EventInstalling   = "installing"
	EventRegistered   = "registered"
	EventIdle         = "idle"
	EventBusy         = "busy"
	EventDisconnected = "disconnected"
	EventUpdating     = "updating"
	EventDraining     = "draining"
	EventDrained      = "drained"
	EventFailing      = "failing"
	EventDeregistered = "deregistered"
	EventStopped      = "stopped"
	EventPreempted    = "preempted"
)

// Event is something that happened to a runner. [Webhook.Send] fills ID, Time
// and Sequence where they are not set.
type Event struct {
	ID       string    `json:"id"`   // random UUID; the same however often it is delivered
	Time     time.Time `json:"time"` // when it happened, in UTC
	Type     string    `json:"type"` // one of the constants
	Runner   string    `json:"runner"`
	Scope    string    `json:"scope"`
	RunnerID int64     `json:"runner_id,omitempty"` // GitHub's; 0: not known
	Host     string    `json:"host"`
	Version  string    `json:"version"` // of the runner
	Job      string    `json:"job,omitempty"`
	Reason   string    `json:"reason"`
	ExitCode *int      `json:"exit_code"` // nil: nothing has ended
	Sequence int64     `json:"sequence"`  // counts from 1; a gap is an event that was dropped
}

// NewEvent is an event of a runner on this host.
func NewEvent(kind, runner, scope string, id int64, version string) Event {
	host, err := os.Hostname()
	if err != nil {
		host = "" // a receiver can do without
	}
	return Event{Type: kind, Runner: runner, Scope: scope, RunnerID: id, Host: host, Version: version}
}

// MarshalJSON writes the event as receivers get it: its fields, and "schema".
func (e Event) MarshalJSON() ([]byte, error) {
	type fields Event // without this method
	return json.Marshal(struct {
		Schema int `json:"schema"`
		fields
	}{schema, fields(e)})
}

var validID = pattern.New(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// newID is a random UUID, version 4.
func newID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	text := hex.EncodeToString(id[:])
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}

// knownType keeps out of the headers what is not one of the constants.
func knownType(name string) bool {
	switch name {
	case EventInstalling, EventRegistered, EventIdle, EventBusy, EventDisconnected, EventUpdating, EventDraining,
		EventDrained, EventFailing, EventDeregistered, EventStopped, EventPreempted:
		return true
	}
	return false
}
