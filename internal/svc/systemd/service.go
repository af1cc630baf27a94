package systemd

import (
	"errors"
	"fmt"
	"os"
	"os/exec"

	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc/installer"
)

// Service is one unit on this host. Its methods may be repeated: a state that is already reached is success.
// It keeps nothing in memory that the host could contradict, so a new one may be made for every call.
type Service struct {
	unit svc.Unit
	text string // empty when opened by name alone
	host host
}

// host is where a Service acts: systemd's own folder and programs, unless a test stands in for them.
type host struct {
	folder    string
	available func() error
	find      func(program string) (string, error)
	installer func(u svc.Unit, text string) (unitInstaller, error)
}

// unitInstaller writes and enables a unit that is not there, and removes one that is. What goes wrong on the way is
// repaired by its caller.
type unitInstaller interface {
	Install() error
	Uninstall() error
}

// New checks every value of u and returns the service that it describes; the error is an [*svc.UnfitError]. It touches nothing.
func New(u svc.Unit) (*Service, error) {
	if err := svc.Check(u, "/bin/true", validate); err != nil {
		return nil, err
	}
	return &Service{unit: u, text: render(u), host: systemdHost()}, nil
}

// Named returns the service of that name, to stop, remove or look at, when nothing else about it is known.
// Install on it is refused.
func Named(name string) (*Service, error) {
	if err := svc.CheckName(name); err != nil {
		return nil, fmt.Errorf("naming service %q: %w", name, err)
	}
	return &Service{unit: svc.Unit{Name: name}, host: systemdHost()}, nil
}

// Text returns the whole unit as Install writes it; empty for a service opened by [Named].
func (s *Service) Text() string { return s.text }

// file is the unit's name as systemd knows it.
func (s *Service) file() string { return fileOf(s.unit.Name) }

// disk is where the unit is written.
func (s *Service) disk() unitFile { return unitFile{folder: s.host.folder, name: s.file()} }

func systemdHost() host {
	return host{
		folder:    svc.Folder(),
		available: Available,
		find:      findProgram,
		installer: func(u svc.Unit, text string) (unitInstaller, error) {
			return installer.OfUnit(u.Name, u.Description, u.Executable, text)
		},
	}
}

// findProgram looks along PATH, and then where distributions keep systemd's programs: a first-boot hook or a
// cron job may have no PATH at all.
func findProgram(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err == nil {
		return path, nil
	}
	for _, folder := range []string{"/usr/bin", "/bin"} {
		candidate := folder + "/" + name
		if info, statErr := os.Stat(candidate); statErr == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return candidate, nil
		}
	}
	// A program in the current folder is not the host's; LookPath names that case, which is of no use here.
	if errors.Is(err, exec.ErrDot) {
		err = exec.ErrNotFound
	}
	return "", fmt.Errorf("finding program %q: %w", name, err)
}
