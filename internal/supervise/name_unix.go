//go:build unix

package supervise

const listenerName = "Runner.Listener"
