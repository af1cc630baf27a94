// Package agent is what the service runs: it keeps one runner registered, fresh,
// current, confined and reported, until it is told to end.
package agent

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/departure"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/jail"
	"github.com/runner-bootstrap/runner-bootstrap/internal/machine"
	"github.com/runner-bootstrap/runner-bootstrap/internal/reaper"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
	"github.com/runner-bootstrap/runner-bootstrap/internal/supervise"
	"github.com/runner-bootstrap/runner-bootstrap/internal/writable"
)

// Agent keeps one runner of this host, and has the means to do it.
type Agent struct {
	Store   *instance.Store
	Fetcher *download.Fetcher
	Log     *slog.Logger
	// Connect gives the client for a scope; nil if there is no credential. It is
	// called each time: the credential may have been replaced.
	Connect func(github.Scope) *github.Client
	// Anonymous gives one without a credential, for what is public.
	Anonymous func(github.Scope) *github.Client
	// Roots are the certificate authorities that a webhook is trusted by; nil: the
	// system's. UserAgent is who we are to it.
	Roots     *x509.CertPool
	UserAgent string
	Version   string // of this program
	// Environment ("KEY=VALUE": proxies, certificates) passes on to config.sh
	// and the listener.
	Environment []string
	// Socket is where commands reach the agent (package control); empty: nowhere.
	Socket string
	// Paths are the places of this host; what is in them is not for jobs.
	Paths instance.Paths
	// Orders asks for what the end of a context cannot say; may be nil.
	Orders <-chan supervise.Order
	// Managed says that a service manager has started this process.
	Managed bool
	// Manager is told how the runner is; Watchdog is how often it wants to hear
	// anything, zero if not at all.
	Manager  ServiceManager
	Watchdog time.Duration
	// Machine knows whether the runner is this machine's.
	Machine machine.Witness
}

// Run supervises the listener of an installed runner until ctx ends or it cannot
// or need not go on; one process at a time. With a credential, a runner that ends
// of its own accord leaves GitHub, and so does one that is told to by its record
// when it is stopped. What the listener does is written into the report that
// status reads. A supervisor that hangs is [ErrHangs], and left as it is: the process is to end.
func (a *Agent) Run(ctx context.Context, name string) error {
	ended, hangs, p := make(chan error, 1), make(chan string, 1), &pulse{}
	watching, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	go func() { hangs <- p.missed(watching) }()
	go func() { ended <- a.run(ctx, name, p) }()
	select {
	case err := <-ended:
		return err
	case stacks := <-hangs:
		a.Log.Error("this process hangs, and is to be started again", "runner", name, "stacks", stacks)
		return ErrHangs
	}
}

func (a *Agent) run(ctx context.Context, name string, p *pulse) error {
	record, err := a.Store.Load(name)
	if err != nil {
		return err
	}
	if err := refuseRemoved(record); err != nil {
		return err
	}
	scope, err := register.ScopeOf(record)
	if err != nil {
		return err
	}
	if err := a.Machine.Check(ctx, record); err != nil {
		a.noteCopy(err)
		return stoppedOr(ctx, err)
	}
	var lock *instance.Lock
	err = a.withRoom(ctx, func() (err error) {
		lock, err = a.Store.LockRunner(ctx, name)
		return err
	})
	if err != nil {
		return stoppedOr(ctx, err)
	}
	defer lock.Release()
	if err := a.awaitRoot(ctx, record); err != nil {
		return stoppedOr(ctx, err)
	}
	chosen, drop := a.jail(ctx, record)
	defer drop()
	user, err := a.awaitUser(ctx, record)
	if err != nil && ctx.Err() != nil {
		return nil //nolint:nilerr // it was asked to stop, and has not begun
	}
	if err != nil {
		return fmt.Errorf("finding the runner's account: %w", err)
	}
	k := a.keeper(record, scope, user)
	err = a.withRoom(ctx, func() (err error) {
		if err := k.adopt(ctx, record); err != nil {
			return err
		}
		record, err = k.reconcile(ctx, record)
		return err
	})
	if err != nil {
		return stoppedOr(ctx, err)
	}
	k.mendWork(ctx, record)
	learning, learned := context.WithCancel(ctx)
	defer learned()
	go a.learn(learning, record)
	if err := a.withRoom(ctx, func() error { return register.Seal(record, user) }); err != nil {
		return stoppedOr(ctx, err)
	}
	return a.supervise(ctx, k, record, chosen, p)
}

// keeper keeps the registration of one runner.
func (a *Agent) keeper(record instance.Record, scope github.Scope, user account.User) *keeper {
	k := &keeper{
		store: a.Store, fetcher: a.Fetcher, log: a.Log, environment: a.Environment, name: record.Name, user: user,
		asks: func(c *download.Chooser) *download.Chooser { return c.Asks(scope, a.Connect, a.Anonymous) },
	}
	k.rooted.keeper = k
	if a.Connect != nil {
		k.connect = func() *github.Client { return a.Connect(scope) }
	}
	return k
}

// supervise has the listener run, and does what its end asks for.
func (a *Agent) supervise(ctx context.Context, k *keeper, record instance.Record, chosen func() (jail.Maker, error), p *pulse) error {
	log := a.Log.With("runner", record.Name)
	reporter := a.newReporter(record, log)
	defer reporter.close()
	reporter.takeCharge()
	maker, err := chosen()
	if err != nil {
		return stoppedOr(ctx, err)
	}
	reporter.confined(maker)
	k.maker = maker
	defer k.aside.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan struct{})
	e := &endpoint{name: record.Name, report: reporter.latest, stop: stop, orders: make(chan supervise.Order), ended: ended}
	defer a.listen(ctx, e, log)()
	// An order to hurry, and a cloud's notice, count most while it is stopping.
	watching, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	watcher := &departure.Watcher{Preemption: record.Preemption, Order: e.order, Age: machine.Age, Log: log}
	a.watchDisk(watching, reporter, e)
	config := supervise.Config{
		Root:         record.Dir,
		User:         k.user,
		Kept:         k.kept(record),
		Environment:  register.StartEnvironment(a.Store, record, a.Environment, a.Log),
		StopTimeout:  instance.StopTimeout,
		DrainTimeout: time.Duration(record.DrainTimeout),
		Backoff:      supervise.DefaultBackoff(),
		Limits:       limitsOf(record),
		Jail:         maker,
		Life:         a.life(record, k.user),
		Previous:     previousListener(a.Store, record.Name),
		Log:          log,
		Report:       reporter.report,
		Orders:       together(watching, a.Orders, e.orders),
		Held:         watcher.Held(ctx),
		Beat:         func() { p.beat(); reporter.heartbeat() },
		BeatEach:     heartbeatEach(a.Watchdog),
	}
	if k.connect != nil && !record.PreRegistered {
		renews(k, record, reporter, &config)
	}
	exchanges(watching, k, record, e.order, &config)
	config.Straighten, config.Mend, config.Used = func() { k.straighten(record) }, sparing(mendOf(k)), toMend(ctx, k, record)
	if record.Replaceable() {
		config.Replace = sparing(k.replace)
	}
	go watcher.Run(watching)
	outcome, err := supervise.Run(ctx, config)
	p.end()
	if errors.Is(err, supervise.ErrNotConfigured) && config.Renew == nil && served(a.Store, record) {
		// As after a boot: its service was started, and there is nothing left to do.
		log.Info("the runner has done its jobs, and its registration was for no other")
		outcome, err = supervise.Served, nil
	}
	close(ended)
	return errors.Join(err, k.finish(ctx, record, outcome, err, reporter, watcher))
}

// watchDisk has no job taken while nothing can be written where the runner is, until ctx ends.
func (a *Agent) watchDisk(ctx context.Context, reporter *reporter, e *endpoint) {
	disk := writable.New([]string{reporter.record.Dir, instance.Folder(a.Store, e.name)}, e.order, reporter.log)
	reporter.failed = disk.Hint
	go disk.Run(ctx)
}

func limitsOf(record instance.Record) supervise.Limits {
	return supervise.Limits{Jobs: record.MaxJobs, Idle: time.Duration(record.MaxIdle), Lifetime: time.Duration(record.MaxLifetime)}
}

// renews has a runner registered again when its registration is of no use any more, and prepares that.
func renews(k *keeper, record instance.Record, reporter *reporter, config *supervise.Config) {
	config.Renew = sparing(k.renew)
	if record.Ephemeral || record.JIT {
		b := &between{maker: k.maker, lives: 2, ready: -1, early: jail.FollowsMounts()}
		if record.JIT {
			b.lives = 1
		}
		config.Report = func(now supervise.Change) { b.see(now); reporter.report(now) }
	}
	k.ahead = k.aheadOf(record)
	reporter.ahead = k.ahead
}

// served tells whether an earlier supervisor of a runner that was for one job has seen it done.
func served(store *instance.Store, record instance.Record) bool {
	report, err := store.LoadReport(record.Name)
	return err == nil && (record.Ephemeral || record.JIT || record.PreRegistered) && report.Outcome == supervise.Served
}

// stoppedOr is nil where nothing has failed but a wait, which was to end.
func stoppedOr(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// freeAfter is longer than it takes a listener to start.
const freeAfter = 2 * time.Second

// sparing gives the memory that something took back to the system: the supervisor
// then waits for hours, beside jobs that can use it.
func sparing(do func(context.Context) error) func(context.Context) error {
	later := time.AfterFunc(freeAfter, debug.FreeOSMemory) // not at once: that takes as long as some of what comes next
	return func(ctx context.Context) error {
		later.Stop()
		defer later.Reset(freeAfter)
		return do(ctx)
	}
}

// heartbeatEach is how often the supervisor shows that it is in order: as often as the
// service manager wants, and for the metrics at least once a minute.
func heartbeatEach(watchdog time.Duration) time.Duration {
	if watchdog > 0 {
		return min(watchdog, time.Minute)
	}
	return time.Minute
}

// finish takes the runner away from GitHub where it is not to come back, and
// then does what the host is to do without it.
func (k *keeper) finish(
	ctx context.Context, record instance.Record, outcome supervise.Outcome, failed error, reporter *reporter, watcher *departure.Watcher,
) error {
	ended := outcome != "" && outcome != supervise.Stopped
	if k.connect != nil && (ended || outcome != "" && record.DeregisterOnStop) {
		left, err := k.deregister(ctx)
		switch {
		case err != nil:
			// The record says what is owed.
			k.log.Warn("cannot take the runner away from GitHub now; it is done at the next start, or by uninstall",
				"runner", k.name, "error", err)
		case left:
			k.log.Info("GitHub no longer lists the runner", "runner", k.name)
			reporter.deregistered()
		}
	}
	refused := errors.Is(failed, supervise.ErrRegistrationEnd) || errors.Is(failed, supervise.ErrVersionRefused) ||
		errors.Is(failed, supervise.ErrNotConfigured)
	switch {
	case outcome == supervise.Preempted:
		return preempted(ctx, k, record, watcher)
	case record.OnExit == "" || !ended && !refused:
		return nil
	}
	return k.onExit(ctx, record, outcome)
}

// previousListener is the listener that the latest supervisor of this boot had.
func previousListener(store *instance.Store, name string) reaper.Process {
	report, err := store.LoadReport(name)
	if err != nil || report.Boot != instance.Boot() || report.ListenerPID == 0 {
		return reaper.Process{}
	}
	return reaper.Process{PID: report.ListenerPID, Start: report.ListenerStart}
}
