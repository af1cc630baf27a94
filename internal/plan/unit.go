package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/health"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/pattern"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

const (
	// watchdogTime is how long a supervisor may say nothing. It notices within minutes that it hangs; what it cannot
	// see, as that it is stopped itself, is for this. A machine that was frozen for less keeps its job: to the service
	// manager that is silence, too. After more, GitHub has given the job up.
	watchdogTime = time.Hour

	documentation = "https://github.com/runner-bootstrap/runner-bootstrap"
)

// describe gives the unit of a record: this program, supervising. Apart says that jobs run in units of their own.
func (m *Maker) describe(service string, record instance.Record, user account.User, apart bool) svc.Unit {
	record.Service = service // not yet, where it is new
	return svc.Unit{
		Name:            service,
		Description:     "GitHub Actions runner " + record.Name + " of " + record.ScopeURL,
		Documentation:   documentation,
		Executable:      m.Executable,
		Args:            slices.Concat([]string{"run", "--name", record.Name}, m.Arguments),
		Directory:       "/", // not where jobs write: root's programs look around in theirs
		StopTimeout:     StopTimeout(record),
		Notify:          true,
		StartTimeout:    instance.StartTimeout,
		Watchdog:        watchdogTime,
		Mounts:          m.mounts(record),
		Sandbox:         sandbox(m.Paths, record, user, apart),
		RuntimeFolder:   runtimeFolder(m.Paths.Control),
		Keeps:           []string{record.LifeName(), record.RegisterName()},
		NoRestartStatus: NoRestart(),
		Life:            lifeOf(record, user),
		LogFile:         m.Paths.Log(record.Name),
	}
}

// NoRestart are the exit codes of this program that no restart can mend: usage, host, credential, archive, registration.
func NoRestart() []int { return []int{2, 3, 4, 6, 7} }

// runtimeFolder is what the service manager is to make in /run; empty where the sockets of agents are elsewhere.
func runtimeFolder(sockets string) string {
	if filepath.Dir(sockets) != "/run" {
		return ""
	}
	return filepath.Base(sockets)
}

// mounts are the places that a runner cannot do without. Any of them may be on a
// file system that comes after the start of the host.
func (m *Maker) mounts(record instance.Record) []string {
	c, l := record.Credential, record.Life
	places := []string{record.Dir, m.Paths.State, m.Paths.Cache, m.Executable, record.WorkDir(), c.TokenFile, c.AppKeyFile, l.WebhookSecret}
	for i, place := range places {
		places[i] = filepath.Clean(place)
	}
	places = slices.DeleteFunc(places, func(place string) bool { return !filepath.IsAbs(place) })
	slices.Sort(places)
	return slices.Compact(places)
}

// StopTimeout is how long the service of a record may take to stop: the running job
// may finish, the listener ends, the runner leaves GitHub, the last events go out.
func StopTimeout(record instance.Record) time.Duration {
	return time.Duration(record.DrainTimeout) + instance.StopTimeout + instance.DeregisterTimeout + health.FlushTimeout + 30*time.Second
}

// What the sandbox of the service may leave to jobs.
const (
	AllowSudo   = instance.AllowSudo
	AllowDocker = instance.AllowDocker
	AllowDBus   = instance.AllowDBus
	AllowAll    = instance.AllowAll
)

// sandbox is what keeps a service, and its jobs unless they run apart, from changing the host.
func sandbox(paths instance.Paths, record instance.Record, user account.User, apart bool) svc.Sandbox {
	// Not the runner's own directory: what is renamed into it stands beside it, and
	// each of these is a mount of its own.
	writable := []string{filepath.Dir(record.Dir), paths.State, paths.Cache}
	home := homeOf(user)
	if home != "" && !apart {
		writable = append(writable, home)
	}
	if work := record.WorkDir(); filepath.IsAbs(work) {
		writable = append(writable, work)
	}
	if record.MetricsFile != "" && !temporary(record.MetricsFile) {
		writable = append(writable, filepath.Dir(record.MetricsFile))
	}
	// A runner that lives in a temporary folder needs the host's.
	hostTemp := temporary(record.Dir) || temporary(paths.State) || temporary(home)
	return svc.Sandbox{
		Enabled: !slices.Contains(record.Allow, AllowAll), Apart: apart, Writable: writable,
		Sudo: slices.Contains(record.Allow, AllowSudo), Docker: slices.Contains(record.Allow, AllowDocker), HostTemp: hostTemp,
	}
}

// homeOf is where the account's jobs write beside the runner: its home, also one that is
// yet to be made, and not a directory of the system that serves as one.
func homeOf(user account.User) string {
	if user.Planned() {
		return "/home/" + user.Name // where the account will be made
	}
	if _, err := os.Stat(user.Home); errors.Is(err, fs.ErrNotExist) && filepath.IsAbs(user.Home) {
		return filepath.Clean(user.Home)
	}
	if home := user.OwnHome(); home != "" {
		return filepath.Clean(home)
	}
	return ""
}

// temporary tells whether a path lies in a folder that a sandbox has of its own.
func temporary(path string) bool {
	return strings.HasPrefix(path, "/tmp/") || strings.HasPrefix(path, "/var/tmp/")
}

var notInService = pattern.New(`[^0-9A-Za-z._-]`)

// longestService leaves room for what begins the names of the units that a service has started, within what svc takes.
const longestService = svc.MaxName - len("register.")

// serviceName is the name that GitHub's own installer gives (actions/runner,
// ServiceControlManager): actions.runner.SCOPE.NAME. The end of a scope for which that is too long is told by a digest.
func serviceName(scope github.Scope, name string) string {
	const begin = "actions.runner."
	slug := notInService.ReplaceAllString(scope.Slug(), "-")
	if over := len(begin+slug+"."+name) - longestService; over > 0 {
		digest := sha256.Sum256([]byte(slug))
		mark := "-" + hex.EncodeToString(digest[:4])
		slug = slug[:len(slug)-over-len(mark)] + mark
	}
	return begin + slug + "." + name
}
