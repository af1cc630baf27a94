package agent

import (
	"context"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/ahead"
	"github.com/runner-bootstrap/runner-bootstrap/internal/folders"
	"github.com/runner-bootstrap/runner-bootstrap/internal/health"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/jail"
	"github.com/runner-bootstrap/runner-bootstrap/internal/supervise"
)

// reporter is who is told what a runner does: status by its report, the service
// manager, a webhook, a file of metrics. A runner runs on if they cannot be told.
type reporter struct {
	store   *instance.Store
	record  instance.Record
	manager ServiceManager
	log     *slog.Logger
	webhook *health.Webhook // nil without one
	jail    instance.Confinement
	boot    string
	version string // of this program
	tidier  *tidier
	ahead   *ahead.Copies
	failed  func(error) // takes what a report could not be saved for; nil: nobody does
	// writing is set while metrics are written: a file system that does not answer has us wait once, and never again before it has.
	writing atomic.Bool

	mu     sync.Mutex // of what follows: changes and heartbeats come from different goroutines
	since  time.Time
	last   supervise.Change
	warned map[string]bool
}

func (a *Agent) newReporter(record instance.Record, log *slog.Logger) *reporter {
	o := &reporter{
		store: a.Store, record: record, manager: a.Manager, log: log, boot: instance.Boot(), version: a.Version, warned: map[string]bool{},
	}
	o.tidier = &tidier{record: record, log: log}
	if record.Webhook != "" {
		webhook, err := health.NewWebhook(health.WebhookConfig{
			URL: record.Webhook, SecretFile: record.WebhookSecret, Roots: a.Roots, UserAgent: a.UserAgent, Log: log,
		})
		o.try("opening the webhook", err)
		o.webhook = webhook
	}
	return o
}

// confined takes in what confines the listener, before anything is reported.
func (o *reporter) confined(maker jail.Maker) {
	o.jail = instance.Confinement{ConfinedBy: maker.Name(), Weaker: strings.Join(maker.Weaker(), "; ")}
}

// report takes in one change of the listener's state.
func (o *reporter) report(c supervise.Change) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if c.Shown() != o.last.Shown() || c.Draining != o.last.Draining || c.Job != o.last.Job {
		o.since = time.Now().UTC()
	}
	o.tidier.onState(c.State)
	if c.State == supervise.Idle {
		o.ahead.Begin()
	}
	before := o.last
	o.last = c
	err := o.store.SaveReport(o.record.Name, o.reportOf(c))
	o.try("saving the report", err)
	if o.failed != nil {
		o.failed(err)
	}
	o.tellManager(c)
	if c.Registrations != before.Registrations {
		if record, err := o.store.Load(o.record.Name); err == nil {
			o.record.RunnerID = record.RunnerID
		}
	}
	if event := eventOf(before, c); event != "" {
		o.send(event, c)
	}
	o.writeMetrics()
}

// reportOf is what status reads.
func (o *reporter) reportOf(c supervise.Change) instance.Report {
	report := instance.Report{
		State: c.Shown(), Draining: c.Draining, Faulty: c.Faulty, Since: o.since,
		PID: os.Getpid(), AgentVersion: o.version, Version: c.Version,
		Job: c.Job, ExitCode: c.ExitCode, Reason: c.Reason, Outcome: c.Outcome, Starts: c.Starts, Registrations: c.Registrations,
		JobCounts: instance.JobCounts{Succeeded: c.Results.Succeeded, Failed: c.Results.Failed, Canceled: c.Results.Canceled},
		LastWords: c.LastWords, EndedAtOnce: c.EndedAtOnce,
		Confinement:     o.jail,
		ListenerProcess: instance.ListenerProcess{ListenerPID: c.Listener.PID, ListenerStart: c.Listener.Start, Boot: o.boot},
	}
	if trouble := c.Trouble; trouble.State != "" {
		report.Trouble, report.TroubleWords, report.TroubleSince = trouble.State, trouble.Words, &trouble.Since
	}
	return report
}

// latest is what the latest change has made true.
func (o *reporter) latest() instance.Report {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.reportOf(o.last)
}

// takeCharge says to systemd that the service is up: its supervisor is at work. Whether the listener listens is GitHub's to
// say, and neither a boot nor what is ordered after this service waits for GitHub; install does, by the report.
func (o *reporter) takeCharge() {
	o.try("cannot tell the service manager", o.manager.Ready("starting"))
}

// tellManager says to the service manager what the listener does.
func (o *reporter) tellManager(c supervise.Change) {
	status := string(c.Shown())
	for _, part := range []struct{ before, text string }{{" on ", c.Job}, {": ", why(c)}} {
		if part.text != "" {
			status += part.before + part.text
		}
	}
	if c.Draining {
		status += ", draining"
	}
	tell := o.manager.Status
	if c.State == supervise.Ended {
		tell = o.manager.Stopping
	}
	o.try("cannot tell the service manager", tell(status))
}

// why is what is wrong with a listener; empty if nothing is.
func why(c supervise.Change) string {
	switch {
	case c.Trouble.State != "":
		return c.Trouble.Words
	case c.State == supervise.Failing && c.LastWords != "":
		return c.Reason + " (" + c.LastWords + ")"
	default:
		return c.Reason
	}
}

// heartbeat shows that the supervisor is in order.
func (o *reporter) heartbeat() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tidier.onState(o.last.State)
	o.try("cannot tell the service manager", o.manager.Watchdog())
	o.writeMetrics()
}

// eventOf is the event that a change is, if it is one.
func eventOf(before, c supervise.Change) string {
	if c.Registrations > before.Registrations {
		return health.EventRegistered
	}
	if c.Draining && !before.Draining {
		return health.EventDraining
	}
	if c.Shown() == before.Shown() && c.Job == before.Job {
		return ""
	}
	switch c.Shown() {
	case supervise.Connecting, supervise.Conflict, supervise.Reconnecting:
		return health.EventDisconnected
	case supervise.Idle:
		return health.EventIdle
	case supervise.Busy:
		return health.EventBusy
	case supervise.Updating:
		return health.EventUpdating
	case supervise.Drained:
		return health.EventDrained
	case supervise.Failing:
		return health.EventFailing
	case supervise.Ended:
		if c.Outcome == supervise.Preempted {
			return health.EventPreempted
		}
		return health.EventStopped
	default:
		return ""
	}
}

func (o *reporter) send(kind string, c supervise.Change) {
	if o.webhook == nil {
		return
	}
	event := health.NewEvent(kind, o.record.Name, o.record.ScopeURL, o.record.RunnerID, c.Version)
	event.Job, event.Reason, event.ExitCode = c.Job, why(c), c.ExitCode
	o.webhook.Send(event)
}

// deregistered tells that GitHub no longer lists the runner.
func (o *reporter) deregistered() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.send(health.EventDeregistered, o.last)
}

func (o *reporter) writeMetrics() {
	if o.record.MetricsFile == "" || o.last.State == "" || !o.writing.CompareAndSwap(false, true) {
		return // nowhere to, or nothing yet, or the last are still on their way
	}
	c := o.last
	state := string(c.Shown())
	if c.Draining && (c.Shown() == supervise.Idle || c.State == supervise.Busy) {
		state = health.StateDraining
	}
	metrics := health.Metrics{
		Runner: o.record.Name, Scope: o.record.ScopeURL, Version: c.Version, State: state,
		Since: o.since, Now: time.Now(), Starts: int64(c.Starts), Registrations: int64(c.Registrations), LastExit: c.ExitCode,
		Jobs: map[string]int64{
			"succeeded": int64(c.Results.Succeeded), "failed": int64(c.Results.Failed), "canceled": int64(c.Results.Canceled),
		},
	}
	written := func(error) { o.writing.Store(false) }
	err, answered := folders.Soon(func() error { return health.WriteMetrics(o.record.MetricsFile, metrics) }, written)
	if !answered {
		o.try("writing the metrics in time", folders.ErrSilent)
		return
	}
	written(err)
	o.try("writing the metrics", err)
}

// try warns of each kind of failure once.
func (o *reporter) try(what string, err error) {
	if err == nil || o.warned[what] {
		return
	}
	o.warned[what] = true
	o.log.Warn("cannot report the state", "what", what, "error", err)
}

// close delivers the last events, if that does not take long. The metrics stay:
// they say that the runner has ended.
func (o *reporter) close() {
	o.tidier.end()
	o.ahead.End()
	if o.webhook == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), health.FlushTimeout)
	defer cancel()
	o.try("delivering the last events", o.webhook.Close(ctx))
}
