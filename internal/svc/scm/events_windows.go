package scm

import (
	"errors"
	"fmt"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
	"golang.org/x/sys/windows/svc/eventlog"
)

// The numbers of our events in the log of applications.
const (
	eventStarted uint32 = 1
	eventStopped uint32 = 2
	eventFailed  uint32 = 3
)

// Announce has a service be a source of events in the log of applications. It may be repeated.
func Announce(name string) error {
	err := eventlog.InstallAsEventCreate(name, eventlog.Info|eventlog.Warning|eventlog.Error)
	if err != nil && !announced(name) {
		return fmt.Errorf("announcing its events: %w", err)
	}
	return nil
}

// sources is where they are in the registry.
const sources = `SYSTEM\CurrentControlSet\Services\EventLog\Application\`

// announced tells whether there is such a source: the library refuses to make it again, and says so in words alone.
func announced(name string) bool {
	key, err := registry.OpenKey(registry.LOCAL_MACHINE, sources+name, registry.QUERY_VALUE)
	if err != nil {
		return false
	}
	_ = key.Close() // nothing was written to it
	return true
}

// Renounce takes that back. None is success.
func Renounce(name string) error {
	err := eventlog.Remove(name)
	if err != nil && !errors.Is(err, windows.ERROR_FILE_NOT_FOUND) {
		return fmt.Errorf("taking back its events: %w", err)
	}
	return nil
}

// tell adds an event. A log that cannot be written to keeps no service from its work.
func tell(name string, number uint32, text string) {
	log, err := eventlog.Open(name)
	if err != nil {
		return
	}
	defer log.Close() //nolint:errcheck // see above
	if number == eventFailed {
		_ = log.Error(number, text) // see above
		return
	}
	_ = log.Info(number, text) // see above
}
