package agent

// ServiceManager is what has started this process, and hears from it how the runner is. Where there is none, or none that
// hears, its methods do nothing. They may be called by several goroutines at once and never wait for long. An error says
// that it was not told; the agent goes on.
type ServiceManager interface {
	// Ready says that the start is complete.
	Ready(status string) error
	// Status says to people what the agent is doing, in one line.
	Status(text string) error
	// Stopping says that the agent has begun to end.
	Stopping(status string) error
	// Watchdog says that the agent is alive. It is due every [Agent.Watchdog].
	Watchdog() error
}
