package instance

import "time"

// What an agent may take for what it does. What waits for it, the service manager
// above all, has to know: an agent that is cut off leaves half of it.
const (
	// StartTimeout is for an agent until it is at work: the account of its jobs, or the file
	// system of its runner, may come late.
	StartTimeout = 5 * time.Minute
	// StopTimeout is for a listener that cancels its job.
	StopTimeout = 30 * time.Second
	// DeregisterTimeout is for leaving GitHub on the way out: the service manager, or
	// the cloud, does not wait for long.
	DeregisterTimeout = 30 * time.Second
)
