package instance

// State is what a runner's listener is doing. It is a word of reports, of status, of metrics and of the control socket:
// a new one is added to [States] too, and none changes its meaning.
type State string

// The states in the order of a runner's life.
const (
	Starting      State = "starting"     // the listener was started and has not connected yet
	Connecting    State = "connecting"   // started, and cannot connect to GitHub
	Conflict      State = "conflict"     // started, and its session is held elsewhere
	Reregistering State = "registering"  // being registered again before it is started
	Idle          State = "idle"         // connected, waiting for a job
	Reconnecting  State = "reconnecting" // was connected, and has lost GitHub
	Busy          State = "busy"         // running a job
	Updating      State = "updating"     // being replaced by a newer version
	Drained       State = "drained"      // stopped until it is told to go on
	Failing       State = "failing"      // ended; to be started again after a while
	Ended         State = "ended"        // ended for good; the report's reason says why
)

// States returns every state.
func States() []State {
	return []State{Starting, Connecting, Conflict, Reregistering, Idle, Reconnecting, Busy, Updating, Drained, Failing, Ended}
}

// Holds tells whether the runner is this host's in that state: its listener has the session at GitHub, or nobody has it.
func (s State) Holds() bool { return s == Idle || s == Busy || s == Drained || s == Updating }
