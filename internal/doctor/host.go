package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/libraries"
	"github.com/runner-bootstrap/runner-bootstrap/internal/places"
	"github.com/runner-bootstrap/runner-bootstrap/internal/shell"
)

const (
	// glibcNeeded is what .NET 8 was built against (2.NUMBER), glibcNeededARM on 32-bit ARM, and glibcNode the same of
	// the Node.js that runs actions.
	glibcNeeded    = 23
	glibcNeededARM = 35
	glibcNode      = 28
)

func (h Host) privileges(context.Context) []Finding {
	const check = "privileges"
	root, become := shell.Here().Root, ""
	if shell.Here().Become != "" {
		become = ": " + shell.Here().Become
	}
	switch {
	case account.Privileged():
		return one(check, OK, "", root, "")
	case !h.Private:
		return one(check, Failed, h.Paths.State, "only "+root+" may install there, and a service"+become, h.asRoot())
	case h.Service:
		return one(check, Failed, "", "only "+root+" may install a service"+become, h.Again("--no-service"))
	default:
		return one(check, OK, filepath.Dir(h.Paths.State), "a runner without a service does not need "+root, "")
	}
}

func (h Host) platform(context.Context) []Finding {
	const check = "platform"
	object := runtime.GOOS + "/" + runtime.GOARCH
	platform, err := download.Host()
	if err != nil {
		return one(check, Failed, object, err.Error(), shell.Here().Do(shell.ShowSystem))
	}
	if runtime.GOOS == "linux" {
		if half := libraries.Of("/").Foreign(); half != "" {
			found := "the kernel has 64 bits, and the programs have " + half + ": GitHub's runner would not start"
			return one(check, Failed, object, found, "getconf LONG_BIT")
		}
	}
	if platform.Arch == "arm" {
		return one(check, Warning, object, "GitHub's runner for 32-bit ARM is deprecated, and may be switched off", "uname -m")
	}
	return one(check, OK, object, "GitHub's runner "+platform.String(), "")
}

func (h Host) libc(context.Context) []Finding {
	if runtime.GOOS != "linux" {
		return skipped("libc", "Linux alone has several")
	}
	return libc(libraries.Of("/"))
}

func libc(l libraries.Loader) []Finding {
	const check = "libc"
	version := l.Glibc()
	switch {
	case version == 0 && len(l.Musl()) > 0:
		return one(check, Failed, l.Musl()[0],
			"musl: GitHub's runner is made for GNU libc; take a host, or a container, of Debian, Ubuntu or Fedora",
			"docker run --rm -it debian:stable")
	case version == 0:
		return one(check, Failed, l.Start(), "there is no GNU libc, which GitHub's runner is made for", "ldd --version")
	}
	return judgeLibc(l.Find("libc.so.6"), version, runtime.GOARCH)
}

func judgeLibc(object string, version int, goarch string) []Finding {
	const check, fix = "libc", "cat /etc/os-release"
	need := glibcNeeded
	if goarch == "arm" {
		need = glibcNeededARM
	}
	switch {
	case version < need:
		found := fmt.Sprintf("GNU libc 2.%d, and .NET 8 needs 2.%d: a newer release of the system is needed", version, need)
		return one(check, Failed, object, found, fix)
	case version < glibcNode:
		found := fmt.Sprintf("GNU libc 2.%d: the Node.js that runs actions needs 2.%d", version, glibcNode)
		return one(check, Warning, object, found, fix)
	}
	return one(check, OK, object, fmt.Sprintf("GNU libc 2.%d", version), "")
}

// program refuses what vanishes at the next start, as the service would have none then.
func (h Host) program(context.Context) []Finding {
	const check = "program"
	if !h.Service {
		return skipped(check, "--no-service")
	}
	for _, dir := range []string{os.TempDir(), "/tmp", "/var/tmp"} {
		if inside, err := filepath.Rel(dir, h.Executable); err == nil && filepath.IsLocal(inside) {
			const found = "it lies in a temporary directory, where a service does not find it"
			return one(check, Failed, h.Executable, found, installProgram(h.Executable))
		}
	}
	return one(check, OK, h.Executable, "a service can start it there", "")
}

// installProgram puts the program where it can stay.
func installProgram(path string) string { return shell.Here().Do(shell.PutProgram, path) }

// jobUser is the account that jobs run as. One that is yet to be created has negative numbers.
func (h Host) jobUser() (account.User, error) {
	if !account.Privileged() {
		return account.Lookup("")
	}
	name := h.User
	if name == "" {
		name = h.DefaultUser
	}
	if name == h.DefaultUser && runtime.GOOS == "windows" {
		if !h.Service {
			return account.Lookup("")
		}
		name = account.VirtualName("runner-bootstrap-doctor") // any would do
	}
	user, err := account.Lookup(name)
	if errors.Is(err, account.ErrAbsent) && name == h.DefaultUser {
		return account.User{Name: name, UID: -1, GID: -1}, nil
	}
	return user, err
}

func (h Host) account(context.Context) []Finding {
	const check = "account"
	user, err := h.jobUser()
	switch {
	case errors.Is(err, account.ErrAbsent) && account.Creatable(h.User):
		return one(check, Failed, h.User, bare(err), shell.Here().Do(shell.MakeAccount, h.User))
	case err != nil:
		return one(check, Failed, h.User, bare(err), shell.Here().Do(shell.ShowAccount, h.User))
	case h.User != "" && user.Name != h.User && !account.Privileged() && !named(user, h.User):
		return one(check, Failed, h.User, "only "+shell.Here().Root+" may run jobs as another account", h.asRoot())
	case user.Root() && account.Privileged():
		return one(check, Failed, user.Name, "it may do everything: a job would own this host", otherAccount(h))
	}
	if barrier := user.Barrier(h.Paths.Root("runner")); barrier != "" {
		found := fmt.Sprintf("it may not list %q, which is above the runners", barrier)
		return one(check, Failed, user.Name, found, shell.Here().Mend(shell.Here().Do(shell.LetList, barrier, whoLists(user))))
	}
	if user.Kind() == account.Virtual && !user.Self {
		return one(check, OK, "NT SERVICE", "each runner gets an account of its own, which has no password", "")
	}
	if user.Planned() {
		return one(check, OK, user.Name, "it will be created", "")
	}
	found := "jobs run as it"
	if user.OwnHome() == "" && runtime.GOOS != "windows" {
		found += ", with the runner's directory as HOME, since it has no home that it can write to"
	}
	all := one(check, OK, user.Name, found, "")
	if user.Doubt != nil {
		found := "groups may be missing: " + user.Doubt.Error()
		all = append(all, one(check, Warning, user.Name, found, shell.Here().Do(shell.ShowRights, user.Name))...)
	}
	if found, command := places.NoExecHome(user); found != "" {
		all = append(all, one(check, Warning, user.Name, found, shell.Here().Mend(command))...)
	}
	if powers := user.Powers(); len(powers) > 0 && account.Privileged() {
		found := "it is in a group whose members can " + account.Utmost + ", as every job then can: " + strings.Join(powers, ", ")
		all = append(all, one(check, Warning, user.Name, found, shell.Here().Do(shell.ShowRights, user.Name))...)
	}
	return all
}

// otherAccount is the call with an account that jobs may have; on Windows without one.
func otherAccount(h Host) string {
	if runtime.GOOS == "windows" {
		return h.Again("--user", `NT AUTHORITY\NetworkService`)
	}
	return h.Again("--user", h.DefaultUser)
}

// whoLists is who is to be let into a folder that is above all runners: on Windows all services, where each has its own account.
func whoLists(user account.User) string {
	if user.Kind() == account.Virtual {
		return "*" + account.AllServices
	}
	return user.Name
}

// bare is why an account was not found; which one stands beside it.
func bare(err error) string {
	var unknown *account.LookupError
	if errors.As(err, &unknown) {
		return unknown.Cause.Error()
	}
	return err.Error()
}

// named tells whether name is another name of the same account.
func named(user account.User, name string) bool {
	other, err := account.Lookup(name)
	return err == nil && other.Same(user)
}
