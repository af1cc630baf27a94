//go:build !windows

package svc

import (
	"errors"
	"fmt"
	"os"
	"os/exec"

	"github.com/kardianos/service"
)

// Service is one unit on this host. Its methods may be repeated: a state that is already reached is success.
// It keeps nothing in memory that the host could contradict, so a new one may be made for every call.
type Service struct {
	unit Unit
	text string // empty when opened by name alone
	host host
}

// unitFolder is where an administrator's units are.
const unitFolder = "/etc/systemd/system"

// host is where a Service acts: systemd's own folder and programs, unless a test stands in for them.
type host struct {
	folder    string
	available func() error
	find      func(program string) (string, error)
	installer func(u Unit, text string) (installer, error)
}

// installer writes and enables a unit that is not there, and removes one that is. What goes wrong on the way is
// repaired by its caller.
type installer interface {
	Install() error
	Uninstall() error
}

// New checks every value of u and returns the service that it describes. It touches nothing.
func New(u Unit) (*Service, error) {
	if err := u.validate(); err != nil {
		return nil, fmt.Errorf("describing service %q: %w", u.Name, err)
	}
	return &Service{unit: u, text: render(u), host: systemdHost()}, nil
}

// Named returns the service of that name, to stop, remove or look at, when nothing else about it is known.
// Install on it is refused.
func Named(name string) (*Service, error) {
	if err := validateName(name); err != nil {
		return nil, fmt.Errorf("naming service %q: %w", name, err)
	}
	return &Service{unit: Unit{Name: name}, host: systemdHost()}, nil
}

// Text returns the whole unit as Install writes it; empty for a service opened by [Named].
func (s *Service) Text() string { return s.text }

// file is the unit's name as systemd knows it.
func (s *Service) file() string { return fileOf(s.unit.Name) }

// disk is where the unit is written.
func (s *Service) disk() unitFile { return unitFile{folder: s.host.folder, name: s.file()} }

func systemdHost() host {
	return host{
		folder:    unitFolder,
		available: Available,
		find:      findProgram,
		installer: newInstaller,
	}
}

// newInstaller gives kardianos/service the unit as a finished text. Its systemd backend is asked for by name:
// left to choose by itself, it ends at SysV init scripts wherever it recognises nothing.
func newInstaller(u Unit, text string) (installer, error) {
	for _, system := range service.AvailableSystems() {
		if system.String() != "linux-systemd" {
			continue
		}
		return system.New(nil, &service.Config{
			Name:        u.Name,
			Description: u.Description,
			Executable:  u.Executable,
			Option:      service.KeyValue{"SystemdScript": text},
		})
	}
	return nil, fmt.Errorf("choosing the systemd backend: %w", ErrUnavailable)
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
