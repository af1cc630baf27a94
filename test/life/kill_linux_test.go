package life

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
)

var (
	seedFlag   = flag.Uint64("seed", 20, "seed of TestKill: the same one makes the same decisions")
	cyclesFlag = flag.Int("cycles", 0, "lives that TestKill leads; 0 is 4, 1 with -short, 20 with -long")
	longFlag   = flag.Bool("long", false, "lead many lives, for minutes")
)

func cycles() int {
	switch {
	case *cyclesFlag > 0:
		return *cyclesFlag
	case *longFlag || os.Getenv("LIFE_CYCLES") != "":
		if n, err := strconv.Atoi(os.Getenv("LIFE_CYCLES")); err == nil {
			return n
		}
		return 20
	case testing.Short():
		return 1
	}
	return 4
}

// step is a part of a life. Its span is how long it takes about, for where in it somebody is killed.
type step struct {
	name string
	span time.Duration
	do   func(*life) error
}

func steps() []step {
	return []step{
		{"install", 400 * time.Millisecond, (*life).install},
		{"start", 400 * time.Millisecond, (*life).start},
		{"job", 600 * time.Millisecond, (*life).work},
		{"update", 400 * time.Millisecond, (*life).update},
		{"drain", 400 * time.Millisecond, (*life).drain},
		{"idle", 200 * time.Millisecond, func(*life) error { return nil }},
		{"stop", 300 * time.Millisecond, (*life).stop},
		{"uninstall", 500 * time.Millisecond, (*life).uninstall},
	}
}

// target is who is killed: a supervisor, or the install or uninstall that runs; a listener, or config.sh with all that its
// account runs; both; or the processes between them, which hold lives.
type target int

const (
	program target = iota
	listener
	both
	between
)

func (t target) String() string { return [...]string{"program", "listener", "both", "between"}[t] }

// moment is what is waited for before somebody is killed.
type moment int

const (
	anytime  moment = iota
	inRoom          // config.sh has a room
	withNext        // the next copy of the runner is being made, or the one before removed
	moments
)

// steps are those that have the moment: of an ephemeral runner, a job as well.
func (m moment) steps() []int {
	return map[moment][]int{inRoom: {0, 2, 7}, withNext: {2, 3}}[m]
}

func (m moment) String() string { return [...]string{"any time", "in a room", "with a next copy"}[m] }

// killing is one decision.
type killing struct {
	step     int
	whom     target
	fraction float64
	when     moment
}

const killings = 5

// decisions are all that a life leaves to chance, drawn before it begins.
type decisions struct {
	words  []string // of install
	busy   bool     // a job runs while the runner stops
	manned bool     // the service manager stops the runner before it is uninstalled
	shares bool     // another runner is on the host
	disk   bool     // a disk is mounted in the runner's directory
	kill   []killing
}

func decide(seed, cycle uint64) decisions {
	r := rand.New(rand.NewPCG(seed, cycle))
	own := []string{"--update", "runner"}
	kinds := [][]string{nil, {"--ephemeral"}, {"--jit"}, own, append([]string{"--ephemeral"}, own...)}
	d := decisions{words: slices.Clone(kinds[r.IntN(len(kinds))])}
	if r.IntN(2) == 0 {
		d.words = append(d.words, "--deregister-on-stop")
	}
	d.busy, d.manned = r.IntN(2) == 0, r.IntN(2) == 0
	for range killings {
		d.kill = append(d.kill, killing{step: r.IntN(len(steps())), whom: target(r.IntN(3)), fraction: r.Float64()})
	}
	d.shares, d.disk = r.IntN(2) == 0, r.IntN(2) == 0
	for i := range d.kill {
		if r.IntN(4) == 0 {
			d.kill[i].whom = between
		}
		d.kill[i].when = moment(r.IntN(int(moments)))
		if steps := d.kill[i].when.steps(); len(steps) > 0 {
			d.kill[i].step = steps[r.IntN(len(steps))]
		}
	}
	slices.SortStableFunc(d.kill, func(a, b killing) int { return a.step - b.step })
	return d
}

// The same seed leads to the same decisions, another one to others.
func TestDecisions(t *testing.T) {
	t.Parallel()
	one, same, other := fmt.Sprint(decide(1, 2)), fmt.Sprint(decide(1, 2)), fmt.Sprint(decide(1, 3))
	if one != same || one == other {
		t.Errorf("decisions: %s, the same seed %s, another cycle %s", one, same, other)
	}
}

// Whichever process is killed, at whatever moment, the runner comes back: one runner at GitHub, one listener, nothing of a former
// life, and jobs succeed. An uninstall leaves nothing. What is another runner's, the host's, or on a mounted disk, is not touched.
func TestKill(t *testing.T) {
	t.Parallel()
	t.Logf("-seed %d -cycles %d, disks are mounted: %t", *seedFlag, cycles(), mounts())
	hits := &tally{}
	t.Cleanup(func() { t.Logf("killed were %s", hits) })
	for cycle := range cycles() {
		t.Run(fmt.Sprint(cycle), func(t *testing.T) {
			t.Parallel()
			d := decide(*seedFlag, uint64(cycle))
			l := &life{host: newHost(t), decisions: d, moment: "before the first step", hits: hits}
			t.Cleanup(func() {
				if t.Failed() {
					t.Logf("seed %d, cycle %d, %+v, %s", *seedFlag, cycle, d, l.moment)
				}
			})
			defer l.manager.leave()
			l.manager.host = l.host
			var err error
			if l.others, err = l.settle(d.shares); err != nil {
				t.Fatal(err)
			}
			for i, s := range steps() {
				err := l.live(i, s)
				if err == nil {
					err = l.others.unharmed()
				}
				if err != nil {
					t.Fatalf("%s: %v\nprocesses: %v\nGitHub: %+v\nreport: %+v", l.moment, err, l.processes(), l.server.Runners(""), l.report())
				}
			}
		})
	}
}

// life is one cycle.
type life struct {
	*host
	decisions
	manager restarter
	others  *others
	moment  string
	hits    *tally
	calling *command // install or uninstall, while one runs
	mu      sync.Mutex
}

// tally counts who was killed, and what there was at that moment.
type tally struct {
	mu    sync.Mutex
	found map[string]int
}

func (t *tally) note(what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.found == nil {
		t.found = map[string]int{}
	}
	t.found[what]++
}

func (t *tally) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var words []string
	for _, what := range slices.Sorted(maps.Keys(t.found)) {
		words = append(words, fmt.Sprintf("%d %s", t.found[what], what))
	}
	return strings.Join(words, ", ")
}

// there tells what there is on the disk of a step that is under way.
func (l *life) there(when moment) bool {
	patterns := map[moment][]string{
		inRoom:   {filepath.Join(l.dir, "cache", "register", "[0-9]*[0-9]"), filepath.Join(l.dir, "runners", ".register", "[0-9]*[0-9]")},
		withNext: {filepath.Join(l.dir, "runners", "."+runnerName+".next"), filepath.Join(l.dir, "runners", "."+runnerName+".ahead")},
	}
	for _, pattern := range patterns[when] {
		if found, err := filepath.Glob(pattern); err == nil && len(found) > 0 {
			return true
		}
	}
	return false
}

// await waits for the moment of a killing, or the end of its step, which may have no such moment.
func (l *life) await(k killing, span time.Duration, over <-chan error) {
	if k.when == anytime {
		time.Sleep(time.Duration(k.fraction * float64(span)))
		return
	}
	for begun := time.Now(); !l.there(k.when) && len(over) == 0 && time.Since(begun) < 3*span; {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(time.Duration(k.fraction * float64(momentSpan)))
}

// momentSpan is how long a moment lasts about.
const momentSpan = 100 * time.Millisecond

// live does a step, kills who is to be killed meanwhile, and then sees that all is well again.
func (l *life) live(number int, s step) error {
	var due []killing
	for _, k := range l.kill {
		if k.step == number {
			due = append(due, k)
		}
	}
	l.moment = "step " + s.name
	for _, k := range due {
		l.moment = fmt.Sprintf("step %s, %s killed at %.3f of %v, %s", s.name, k.whom, k.fraction, s.span, k.when)
		done := make(chan error, 1)
		go func() { done <- s.do(l) }()
		l.await(k, s.span, done)
		l.strike(s, k.whom)
		select {
		case <-done: // a step that somebody was killed in may fail
		case <-time.After(patience):
			return errors.New("the step does not end")
		}
		if err := l.recover(s); err != nil {
			return err
		}
	}
	if len(due) > 0 && s.name != "stop" {
		return nil
	}
	if err := s.do(l); err != nil {
		return err
	}
	return l.recover(s)
}

// strike kills, each by its number.
func (l *life) strike(s step, whom target) {
	var pids []int
	l.mu.Lock()
	calling := l.calling
	l.mu.Unlock()
	var tied []int // the kernel ends a listener with its supervisor
	all := l.processes()
	for _, p := range all {
		isProgram := isSupervisor(p) && s.name != "install" || calling != nil && p.pid == calling.Process.Pid
		isOther := isListener(p) || p.is("Runner.Listener", "configure") || p.is("Runner.Listener", "remove") || p.inRoom()
		if isProgram && (whom == program || whom == both) || isOther && (whom == listener || whom == both) {
			pids = append(pids, p.pid)
			l.note("killing %v", p)
		}
		if isOther && whom == between && !slices.ContainsFunc(all, func(o process) bool { return o.pid == p.parent }) && holdsLife(p.parent) {
			pids, tied = append(pids, p.parent), append(tied, p.pid)
			l.note("killing %d between us and %v", p.parent, p)
		}
		if isListener(p) && slices.ContainsFunc(pids, p.startedBy) {
			tied = append(tied, p.pid)
		}
	}
	for _, pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended meanwhile
	}
	for when := inRoom; len(pids) > 0 && when < moments; when++ {
		if l.there(when) {
			l.hits.note(fmt.Sprintf("%s %s", whom, when))
		}
	}
	l.hits.note(fmt.Sprintf("%d processes for %s", min(len(pids), 1), whom))
	if err := poll(patience, func() error {
		for _, pid := range slices.Concat(pids, tied) {
			if _, lives := look(pid, l.dir); lives {
				return fmt.Errorf("process %d lives on", pid)
			}
		}
		return nil
	}); err != nil {
		l.t.Error(err)
	}
	if len(pids) == 0 {
		l.note("nobody to kill")
	}
	// GitHub frees the session of a listener that is gone after minutes. What a killed one has asked for may still be on its
	// way, and open a session that belongs to nobody.
	for range 5 {
		l.server.DropSessions(runnerName)
		time.Sleep(40 * time.Millisecond)
	}
	l.server.DropSessions(runnerName)
}

// note writes into the log what the test does.
func (l *life) note(format string, args ...any) {
	file, err := os.OpenFile(filepath.Join(l.base, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		l.t.Error(err)
		return
	}
	defer file.Close()
	fmt.Fprintf(file, "%s # "+format+"\n", append([]any{time.Now().UTC().Format(time.RFC3339Nano)}, args...)...)
}

// ask calls the program, which may be killed.
func (l *life) ask(words ...string) error {
	c, err := l.host.start(words...)
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.calling = c
	l.mu.Unlock()
	code, err := c.code(patience)
	l.mu.Lock()
	l.calling = nil
	l.mu.Unlock()
	if err == nil && code != 0 {
		err = fmt.Errorf("%s ended with %d", words[0], code)
	}
	return err
}

func (l *life) install() error {
	return l.ask(l.installWords(append(slices.Clone(l.words), "--token-file", l.token)...)...)
}

func (l *life) start() error {
	l.manager.start()
	return l.up()
}

func (l *life) work() error {
	// A job would like to have removed what is not its runner's.
	attack := fmt.Sprintf("for name in link _diag/link _work/link; do ln -sn %s %s/$name; done 2>/dev/null; sleep 0.3", l.theirs, l.root())
	if conclusion, err := l.job(attack, patience); err != nil || conclusion != "succeeded" {
		return errors.Join(fmt.Errorf("the job: %q", conclusion), err)
	}
	return nil
}

// update brings a newer version: by the runner's own updater, or where its files are root's and no job's account can do
// that, by its agent, as GitHub refuses the one before.
func (l *life) update() error {
	version := newVersion
	if record, err := l.store.Load(runnerName); err != nil || record.Rooted() {
		return errors.Join(err, l.refuse(version))
	}
	if err := l.server.Tell(runnerName, githubtest.SelfUpdate{Version: version}); err != nil {
		return err
	}
	told := time.Now()
	return poll(patience, func() error {
		r := l.report()
		if r.Version == version && r.State == instance.Idle {
			return nil
		}
		// GitHub tells every session of a runner that is too old; a listener that was
		// killed has taken the message with it.
		if r.State == instance.Idle && time.Since(told) > 3*time.Second {
			told = time.Now()
			if err := l.server.Tell(runnerName, githubtest.SelfUpdate{Version: version}); err != nil {
				return err
			}
		}
		return fmt.Errorf("version %s, state %s", r.Version, r.State)
	})
}

func (l *life) refuse(version string) error {
	l.server.AddArchive(l.archives[version])
	if runners := l.atGitHub(); len(runners) == 1 && runners[0].Version != version {
		if err := l.server.Tell(runnerName, githubtest.Deprecate{}); err != nil {
			return err
		}
	}
	return poll(patience, func() error {
		if r := l.report(); r.Version != version || r.State != instance.Idle {
			return fmt.Errorf("version %s, state %s", r.Version, r.State)
		}
		return nil
	})
}

func (l *life) drain() error {
	if err := l.ask("drain", "--name", runnerName); err != nil {
		return err
	}
	return l.ask("drain", "--resume", "--name", runnerName)
}

// stop stops the service, with a job at work or not.
func (l *life) stop() error {
	if l.busy {
		job := l.server.QueueJob(runnerName, githubtest.Job{Script: "sleep 0.3"})
		_ = poll(time.Second, func() error {
			if l.report().State != instance.Busy {
				return errors.New("not busy")
			}
			return nil
		})
		defer job.Cancel()
	}
	return l.manager.stop()
}

func (l *life) uninstall() error {
	if l.manned {
		if err := l.manager.stop(); err != nil {
			return err
		}
	}
	err := l.uninstallAgain()
	if err != nil && l.others.disk != "" {
		return nil // it says so: see gone
	}
	return err
}

// recover does what a user, or the service manager, does after a step, and sees that all is well.
func (l *life) recover(s step) error {
	switch s.name {
	case "install":
		if err := l.install(); err != nil {
			return fmt.Errorf("the repeated install: %w", err)
		}
		if ids := l.listed(); len(ids) != 1 {
			return fmt.Errorf("GitHub lists %v after install", ids)
		}
		if err := l.noneLeft(patience); err != nil || !l.disk {
			return err
		}
		return l.others.mountInside(l.host)
	case "stop":
		if err := l.manager.stop(); err != nil {
			return err
		}
		l.manager.start()
	case "drain":
		_ = l.ask("drain", "--resume", "--name", runnerName) // nobody supervises it for a moment
	case "uninstall":
		return l.gone()
	}
	if err := l.up(); err != nil {
		return err
	}
	return l.serves()
}

// up waits until there is one runner, one listener that it has, and nothing else.
func (l *life) up() error {
	return poll(patience, func() error {
		ids, r := l.listed(), l.report()
		if len(ids) != 1 {
			return fmt.Errorf("GitHub lists %v", ids)
		}
		if r.State != instance.Idle {
			return fmt.Errorf("state %s", r.State)
		}
		if online := l.atGitHub()[0].Status; online != "online" {
			return fmt.Errorf("GitHub calls it %s", online)
		}
		if record, err := l.store.Load(runnerName); err != nil || record.RunnerID != ids[0] || record.Phase != instance.Installed || len(record.PendingDeletes) != 0 {
			said := fmt.Errorf("the record has id %d, phase %s, owes %v; GitHub lists %v", record.RunnerID, record.Phase, record.PendingDeletes, ids)
			return errors.Join(said, err)
		}
		return l.alone()
	})
}

// alone checks that there is a supervisor, its listener, and no third.
func (l *life) alone() error {
	all := l.processes()
	if len(all) != 2 {
		return fmt.Errorf("processes: %v", all)
	}
	if isListener(all[0]) {
		slices.Reverse(all)
	}
	if !isSupervisor(all[0]) || !isListener(all[1]) || !all[1].startedBy(all[0].pid) {
		return fmt.Errorf("not a supervisor and its listener: %v", all)
	}
	return nil
}

// serves has the runner do a job.
func (l *life) serves() error {
	if conclusion, err := l.job("true", patience); err != nil || conclusion != "succeeded" {
		return errors.Join(fmt.Errorf("a job afterwards: %q", conclusion), err)
	}
	if err := l.up(); err != nil {
		return fmt.Errorf("after a job: %w", err)
	}
	return nil
}

// gone repeats the uninstall and checks that nothing is left.
func (l *life) gone() error {
	mounted := l.others.disk != ""
	if mounted {
		if err := l.uninstallAgain(); err == nil {
			return errors.New("it says that all is removed, and a disk is mounted there")
		}
	}
	if err := l.others.unmountInside(); err != nil {
		return err
	}
	remembered := l.remembered()
	if mounted && !remembered {
		return errors.New("nothing is remembered of the runner, of which something is left")
	}
	if err := l.uninstallAgain(); err != nil && remembered {
		return fmt.Errorf("the repeated uninstall: %w", err)
	}
	return poll(patience, func() error {
		if ids := l.listed(); len(ids) != 0 {
			return fmt.Errorf("GitHub lists %v after uninstall", ids)
		}
		if left := l.processes(); len(left) != 0 {
			return fmt.Errorf("processes after uninstall: %v", left)
		}
		for _, name := range []string{"runners", "state"} {
			if _, err := os.Lstat(filepath.Join(l.dir, name)); !l.shares && !errors.Is(err, os.ErrNotExist) {
				return errors.Join(fmt.Errorf("after uninstall there is %s", name), err)
			}
		}
		if others := len(l.server.Runners("")); l.shares != (others == 1) {
			return fmt.Errorf("GitHub lists %d other runners", others)
		}
		return l.nothingLeft()
	})
}

func (l *life) remembered() bool {
	_, err := l.store.Load(runnerName)
	return !errors.Is(err, instance.ErrUnknown)
}

func (l *life) uninstallAgain() error {
	return l.ask("uninstall", "--force", "--name", runnerName, "--token-file", l.token)
}

// restarter is a service manager: it starts a supervisor again that was killed or failed, as Restart=on-failure does, and
// not one that ended well or for good. It does not end what a killed one leaves.
type restarter struct {
	host *host
	mu   sync.Mutex
	want bool
	now  *command
	over chan struct{}
}

const restartAfter = 50 * time.Millisecond

// forGood are the exit codes that a restart cannot mend, as in the unit.
func forGood(code int) bool { return slices.Contains([]int{0, 2, 3, 4, 6, 7}, code) }

// start has the supervisor run from now on, if it does not yet.
func (m *restarter) start() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.over != nil {
		select {
		case <-m.over:
		default:
			return
		}
	}
	m.want, m.over = true, make(chan struct{})
	go m.keep(m.over)
}

func (m *restarter) keep(over chan struct{}) {
	defer close(over)
	for {
		m.mu.Lock()
		if !m.want {
			m.mu.Unlock()
			return
		}
		c, err := m.host.start("run", "--name", runnerName)
		m.now = c
		m.mu.Unlock()
		if err != nil {
			m.host.t.Error(err)
			return
		}
		<-c.over
		if forGood(c.ProcessState.ExitCode()) {
			return
		}
		time.Sleep(restartAfter)
	}
}

// stop ends the supervisor and waits for that. One that is killed meanwhile is not started again.
func (m *restarter) stop() error {
	m.mu.Lock()
	m.want = false
	c, over := m.now, m.over
	m.mu.Unlock()
	if c == nil {
		return nil
	}
	_ = c.Process.Signal(syscall.SIGTERM) // it may have ended
	if _, err := c.code(patience); err != nil {
		return err
	}
	<-over
	return nil
}

// leave is for the end of the test, in whatever state.
func (m *restarter) leave() {
	m.mu.Lock()
	m.want = false
	c, over := m.now, m.over
	m.mu.Unlock()
	if c != nil {
		_ = c.Process.Kill()
		<-over
	}
}
