package plan

import (
	"errors"
	"fmt"
)

// Why a host, a name or a state of things is refused.
var (
	ErrAccount        = errors.New("not an account that jobs may run as")
	ErrPassword       = errors.New("its password is needed")
	ErrForeignDir     = errors.New("runner-bootstrap did not make this directory")
	ErrForeignService = errors.New("a service of this name exists that is not ours")
	ErrDamaged        = errors.New("the runner's files are damaged")
	ErrOtherAccount   = errors.New("its jobs run as another account already")
	ErrPrivateTemp    = errors.New("the service has a temporary folder of its own")
	ErrOtherScope     = errors.New("the runner belongs to another scope")
	ErrGroupClosed    = errors.New("its runners get no job")
	ErrDiffers        = errors.New("the runner is registered with other options")
	ErrAtWork         = errors.New("a program that was started by hand runs it")
	ErrSpent          = errors.New("the just-in-time configuration has served its job")
	ErrOtherServer    = errors.New("the just-in-time configuration is of another server")
	ErrUnreachable    = errors.New("the account cannot reach the runner's directory")
	ErrTemporary      = errors.New("the program lies in a temporary directory")
	ErrProgram        = errors.New("jobs run in a service of their own, which cannot start this program")
	ErrUpdate         = errors.New("it has to update itself here")
	ErrUntold         = errors.New("without a credential that is kept, its agent does not learn of newer versions there")
	ErrOtherUpdate    = errors.New("its versions are brought in another way")
	ErrTemplate       = errors.New("not a name template")
	ErrLabelTemplate  = errors.New("not a label")
	// ErrUnasked is an [ErrTemplate] that only a cloud could fill.
	ErrUnasked = fmt.Errorf("%w: it needs the facts of a cloud, which are not asked for with --metadata off", ErrTemplate)
	// ErrUnfilled says that a placeholder stands for what is not known on this machine.
	ErrUnfilled = errors.New("what it stands for is not known on this machine")
)
