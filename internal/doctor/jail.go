package doctor

import (
	"context"
	"log/slog"
	"os"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/jail"
	"github.com/runner-bootstrap/runner-bootstrap/internal/shell"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

// confinement says what would confine jobs here, and what that does not keep out. It tries that, in a folder of its own.
func confinement(ctx context.Context, h Host) []Finding {
	const check = "jail"
	if h.Service && !account.Privileged() {
		return skipped(check, "only %s can try what confines the jobs of a service", shell.Here().Root)
	}
	folder, err := os.MkdirTemp("", "runner-bootstrap-doctor-")
	if err != nil {
		return one(check, Warning, "", "cannot try what would confine jobs: "+err.Error(), shell.Here().Do(shell.ShowSpace, os.TempDir()))
	}
	defer func() { _ = os.Remove(folder) }() // it is empty, and may have gone with the trial
	options := jail.Options{Folder: folder, Log: slog.New(slog.DiscardHandler)}
	if h.Service {
		options.Unit = "runner-bootstrap-doctor" // that there is one is all that counts
	}
	maker, err := jail.Choose(ctx, options)
	if err != nil {
		return one(check, Failed, "", err.Error(), strings.Join(svc.ShowVersion(), " "))
	}
	return judgeJail(h, maker.Name(), maker.Weaker())
}

func judgeJail(h Host, name string, weaker []string) []Finding {
	const check = "jail"
	words := map[string]string{
		jail.Systemd:     "a transient unit of systemd's for each life of the listener",
		jail.Namespaces:  "namespaces for each life of the listener",
		jail.Descendants: "nothing but the end of what a job has started",
		jail.Group:       "a process group for each life of the listener",
		jail.JobObject:   "a job object for each life of the listener",
		jail.Service:     "a service of its own for each life of the listener, with an account of its own",
	}
	found := "jobs are confined by " + words[name]
	if len(weaker) > 0 {
		found += ": " + strings.Join(weaker, "; ")
	}
	switch {
	case len(weaker) == 0 || (name == jail.Namespaces || name == jail.JobObject) && !h.Service: // of which no more can be had
		return one(check, OK, name, found, "")
	case !account.Privileged():
		return one(check, Warning, name, found, h.asRoot())
	case name == jail.Descendants:
		return one(check, Warning, name, found, "unshare --pid --mount --ipc --fork true") // says what this host refuses
	}
	return one(check, Warning, name, found, strings.Join(svc.ShowVersion(), " "))
}
