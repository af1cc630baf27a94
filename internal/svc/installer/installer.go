// Package installer makes services that are not there, and removes them, through kardianos/service. What that can do for no
// service manager (look at one, wait for one, change one that is there) is done by the package of each manager.
package installer

import (
	"errors"

	"github.com/kardianos/service"
)

// ErrUnknown says that the library does not know the service manager that is meant.
var ErrUnknown = errors.New("the service library does not know systemd")

// Installer makes one service that is not there, and removes one that is. After a failure there may be half of it.
type Installer interface {
	Install() error
	Uninstall() error
}

// OfUnit installs a unit of systemd's, whose whole text is given. The library's part for systemd is asked for by name: left to
// choose by itself, it ends at scripts for SysV wherever it recognises nothing.
func OfUnit(name, description, executable, text string) (Installer, error) {
	for _, system := range service.AvailableSystems() {
		if system.String() != "linux-systemd" {
			continue
		}
		return system.New(nil, &service.Config{
			Name: name, Description: description, Executable: executable, Option: service.KeyValue{"SystemdScript": text},
		})
	}
	return nil, ErrUnknown
}
