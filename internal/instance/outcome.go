package instance

// Outcome is why a runner has ended without an error. It is a word for scripts, which does not change.
type Outcome string

// The outcomes.
const (
	Stopped   Outcome = "stopped"   // it was asked to
	Preempted Outcome = "preempted" // its machine is taken away
	Served    Outcome = "jobs"      // it has run the jobs that it was for
	Unused    Outcome = "idle"      // it had no job for too long
	Aged      Outcome = "lifetime"  // it is too old
)

// Sentence says it to people; empty for the zero Outcome.
func (o Outcome) Sentence() string {
	switch o {
	case Stopped:
		return "it was asked to stop"
	case Preempted:
		return "this machine is about to go"
	case Served:
		return "it has done its jobs"
	case Unused:
		return "it had nothing to do"
	case Aged:
		return "its lifetime is over"
	default:
		return string(o)
	}
}

// Own tells whether the runner has ended of its own accord: it has done what it was for.
func (o Outcome) Own() bool { return o == Served || o == Unused || o == Aged }
