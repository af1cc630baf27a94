package svc

import (
	"context"
	"errors"
	"io"
	"io/fs"

	"golang.org/x/sys/windows/registry"

	"github.com/runner-bootstrap/runner-bootstrap/internal/logfile"
)

// What is remembered of a service among the parameters that each may have in the registry: where it writes its log, and how long
// it may take to stop.
const (
	logValue  = "LogFile"
	stopValue = "StopTimeout"
)

func parameters(service string) string {
	return `SYSTEM\CurrentControlSet\Services\` + service + `\Parameters`
}

// note has the service manager remember that; it goes with the service.
func note(u Unit) error {
	key, _, err := registry.CreateKey(registry.LOCAL_MACHINE, parameters(u.Name), registry.SET_VALUE)
	if err != nil {
		return err
	}
	return errors.Join(key.SetStringValue(logValue, u.LogFile), key.SetStringValue(stopValue, u.StopTimeout.String()), key.Close())
}

// noted tells whether it is remembered so.
func noted(u Unit) bool {
	log, err := parameter(u.Name, logValue)
	stop, stopErr := parameter(u.Name, stopValue)
	return err == nil && stopErr == nil && log == u.LogFile && stop == u.StopTimeout.String()
}

// parameter is a value; empty where there is none.
func parameter(service, value string) (string, error) {
	key, err := registry.OpenKey(registry.LOCAL_MACHINE, parameters(service), registry.QUERY_VALUE)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer key.Close() //nolint:errcheck // nothing was written to it
	text, _, err := key.GetStringValue(value)
	if errors.Is(err, registry.ErrNotExist) {
		return "", nil
	}
	return text, err
}

// Log returns the last lines of the service's log, oldest first.
func (s *Service) Log(_ context.Context, lines int) ([]string, error) {
	path, err := parameter(s.unit.Name, logValue)
	if err != nil || path == "" {
		return nil, refused(s.unit.Name, "reading the log of", err)
	}
	return logfile.Tail(path, lines)
}

// WriteLog writes the service's log to out, oldest line first. With follow it begins with the last lines, goes on with those that
// come, and returns nil when ctx ends.
func (s *Service) WriteLog(ctx context.Context, out, _ io.Writer, follow bool) error {
	path, err := parameter(s.unit.Name, logValue)
	if err != nil || path == "" {
		return refused(s.unit.Name, "reading the log of", err)
	}
	return logfile.Show(ctx, path, out, follow)
}
