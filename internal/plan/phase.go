package plan

// Phase is a step of what a command does.
type Phase string

// The phases of install, in their order, and then those that uninstall and prepare have beside them.
const (
	PlanPhase        Phase = "plan"
	ForgetPhase      Phase = "forget" // what is here of another machine's runners
	AccountPhase     Phase = "account"
	FetchPhase       Phase = "fetch"
	EnvironmentPhase Phase = "environment"
	WorkPhase        Phase = "work"
	SudoPhase        Phase = "sudo" // comes last where it takes away
	RegisterPhase    Phase = "register"
	LabelsPhase      Phase = "labels" // of a runner that stays registered
	VersionPhase     Phase = "version"
	LifePhase        Phase = "life"
	ServicePhase     Phase = "service"

	StopPhase       Phase = "stop"
	DeregisterPhase Phase = "deregister"
	RemovePhase     Phase = "remove"

	SealPhase Phase = "seal"
)
