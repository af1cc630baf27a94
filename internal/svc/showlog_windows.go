package svc

import (
	"context"
	"errors"
	"io"
	"io/fs"

	"golang.org/x/sys/windows/registry"

	"github.com/runner-bootstrap/runner-bootstrap/internal/logfile"
)

// logValue names the log of a service, among the parameters that each service may have in the registry.
const logValue = "LogFile"

func parameters(service string) string {
	return `SYSTEM\CurrentControlSet\Services\` + service + `\Parameters`
}

// noteLog has the service manager remember where a service writes its log: it goes with the service.
func noteLog(u Unit) error {
	key, _, err := registry.CreateKey(registry.LOCAL_MACHINE, parameters(u.Name), registry.SET_VALUE)
	if err == nil {
		err = errors.Join(key.SetStringValue(logValue, u.LogFile), key.Close())
	}
	return refused(u.Name, "installing", err)
}

// logOf is where a service writes its log; empty where nobody knows.
func logOf(service string) (string, error) {
	key, err := registry.OpenKey(registry.LOCAL_MACHINE, parameters(service), registry.QUERY_VALUE)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer key.Close() //nolint:errcheck // nothing was written to it
	path, _, err := key.GetStringValue(logValue)
	if errors.Is(err, registry.ErrNotExist) {
		return "", nil
	}
	return path, err
}

// Log returns the last lines of the service's log, oldest first.
func (s *Service) Log(_ context.Context, lines int) ([]string, error) {
	path, err := logOf(s.unit.Name)
	if err != nil || path == "" {
		return nil, refused(s.unit.Name, "reading the log of", err)
	}
	return logfile.Tail(path, lines)
}

// WriteLog writes the service's log to out, oldest line first. With follow it begins with the last lines, goes on with those that
// come, and returns nil when ctx ends.
func (s *Service) WriteLog(ctx context.Context, out, _ io.Writer, follow bool) error {
	path, err := logOf(s.unit.Name)
	if err != nil || path == "" {
		return refused(s.unit.Name, "reading the log of", err)
	}
	return logfile.Show(ctx, path, out, follow)
}
