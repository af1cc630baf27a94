package scm

import (
	"context"
	"io"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/logfile"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

// What is remembered of a service among the parameters that each may have in the registry: where it writes its log, and how long
// it may take to stop.
const (
	logValue  = "LogFile"
	stopValue = "StopTimeout"
)

// remember has the service manager remember that; it goes with the service.
func remember(u svc.Unit) error {
	return SetParameters(u.Name, map[string]string{logValue: u.LogFile, stopValue: u.StopTimeout.String()})
}

// remembered tells whether it is remembered so.
func remembered(u svc.Unit) bool {
	log, err := Parameter(u.Name, logValue)
	stop, stopErr := Parameter(u.Name, stopValue)
	return err == nil && stopErr == nil && log == u.LogFile && stop == u.StopTimeout.String()
}

// recalled is what is remembered of the service called name; nil where that is nothing.
func recalled(name string) map[string]string {
	values := map[string]string{}
	for _, value := range []string{logValue, stopValue} {
		text, err := Parameter(name, value)
		if err != nil || text == "" {
			return nil // half of it is worth as little: the service is not as described then
		}
		values[value] = text
	}
	return values
}

// stopTimeout is how long the service called name may take to stop; 0 where nobody knows.
func stopTimeout(name string) time.Duration {
	text, err := Parameter(name, stopValue)
	if err != nil {
		return 0
	}
	limit, err := time.ParseDuration(text)
	if err != nil {
		return 0
	}
	return limit
}

// Log returns the last lines of the service's log, oldest first.
func (s *Service) Log(_ context.Context, lines int) ([]string, error) {
	path, err := Parameter(s.unit.Name, logValue)
	if err != nil || path == "" {
		return nil, refused(s.unit.Name, "reading the log of", err)
	}
	return logfile.Tail(path, lines)
}

// WriteLog writes the service's log to out, oldest line first. With follow it begins with the last lines, goes on with those that
// come, and returns nil when ctx ends.
func (s *Service) WriteLog(ctx context.Context, out, _ io.Writer, follow bool) error {
	path, err := Parameter(s.unit.Name, logValue)
	if err != nil || path == "" {
		return refused(s.unit.Name, "reading the log of", err)
	}
	return logfile.Show(ctx, path, out, follow)
}
