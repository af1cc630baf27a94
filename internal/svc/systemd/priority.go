package systemd

import (
	"log/slog"
	"strconv"
	"strings"
)

// The priorities of syslog, as the journal has them (sd-daemon(3)).
const (
	priorityError   = 3
	priorityWarning = 4
	priorityInfo    = 6
	priorityDebug   = 7
)

// PriorityPrefix begins a line of a service's output that the journal is to give the priority of a level.
func PriorityPrefix(level slog.Level) string {
	priority := priorityDebug
	switch {
	case level >= slog.LevelError:
		priority = priorityError
	case level >= slog.LevelWarn:
		priority = priorityWarning
	case level >= slog.LevelInfo:
		priority = priorityInfo
	}
	return "<" + strconv.Itoa(priority) + ">"
}

// cutPriority takes such a beginning from a line; without one it is information.
func cutPriority(line string) (priority, rest string) {
	if len(line) >= len("<6>") && line[0] == '<' && line[2] == '>' && strings.Contains("01234567", line[1:2]) {
		return line[1:2], line[3:]
	}
	return strconv.Itoa(priorityInfo), line
}
