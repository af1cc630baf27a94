package removal

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
)

// ErrMounted is what every [MountedError] matches.
var ErrMounted = errors.New("something is mounted there")

// MountedError tells where something is mounted: another file system, another place of the same one, or a file. It is
// left whole. When it is unmounted, what was told to be removed can be removed by doing the same again.
type MountedError struct {
	Points []string // where it can be unmounted; the first few
	More   int      // how many there are beside those
}

// Error implements error.
func (e *MountedError) Error() string {
	quoted := make([]string, 0, len(e.Points)+1)
	for _, point := range e.Points {
		quoted = append(quoted, fmt.Sprintf("%q", point))
	}
	if e.More > 0 {
		quoted = append(quoted, fmt.Sprintf("%d more", e.More))
	}
	return "leaving what is mounted at " + strings.Join(quoted, ", ")
}

// Is makes it match [ErrMounted].
func (e *MountedError) Is(target error) bool { return target == ErrMounted } //nolint:errorlint // errors.Is unwraps

// ErrImmutable is what every [ImmutableError] matches.
var ErrImmutable = errors.New("it is immutable, or may only be appended to")

// ImmutableError tells what nobody may remove, root included, until that is taken from it (chattr(1)). Somebody has wanted that, so it
// is left whole.
type ImmutableError struct{ Path string }

// Error implements error.
func (e *ImmutableError) Error() string {
	return fmt.Sprintf("removing %.1000q: %v", e.Path, ErrImmutable)
}

func (e *ImmutableError) is(other error) bool {
	same, ok := other.(*ImmutableError) //nolint:errorlint // a wrapped one is told with what it was wrapped in
	return ok && same.Path == e.Path
}

// Unwrap makes it match [ErrImmutable], and what the system says.
func (*ImmutableError) Unwrap() []error { return []error{ErrImmutable, syscall.EPERM} }

// MountsAlone tells whether an error says where something is mounted, and nothing else.
func MountsAlone(err error) bool {
	_, alone := err.(*MountedError) //nolint:errorlint // what it is one of, or wrapped in, says more
	return alone
}

// maxProblems is how many places and problems are told in full, of each.
const maxProblems = 10

// Problems are what went wrong on a way that went on. The zero value is none.
type Problems struct {
	mounted MountedError
	first   []error
	more    int
}

// Add notes an error, or the several that an error of this package stands for; nil is none.
func (p *Problems) Add(err error) {
	switch err := err.(type) { //nolint:errorlint // a wrapped one is told with what it was wrapped in
	case nil:
	case *severalError:
		p.merge(err.problems)
	case *MountedError:
		p.merge(Problems{mounted: *err})
	case *ImmutableError:
		// A folder keeps all that is in it, and is to be told once.
		if !slices.ContainsFunc(p.first, err.is) {
			p.note(err)
		}
	default:
		p.note(err)
	}
}

func (p *Problems) note(err error) {
	if len(p.first) < maxProblems {
		p.first = append(p.first, err)
		return
	}
	p.more++
}

// mount notes a place where something is mounted.
func (p *Problems) mount(point string) {
	if len(p.mounted.Points) < maxProblems {
		p.mounted.Points = append(p.mounted.Points, point)
		return
	}
	p.mounted.More++
}

// merge notes the problems in q.
func (p *Problems) merge(q Problems) {
	for _, err := range q.first {
		p.Add(err)
	}
	for _, point := range q.mounted.Points {
		p.mount(point)
	}
	p.more += q.more
	p.mounted.More += q.mounted.More
}

func (p *Problems) none() bool { return len(p.first) == 0 && len(p.mounted.Points) == 0 }

// Err returns all of them as one error, or nil. Where something is mounted comes first, as a [MountedError].
func (p *Problems) Err() error {
	switch mounted := len(p.mounted.Points) > 0; {
	case p.none():
		return nil
	case !mounted && len(p.first) == 1:
		return p.first[0]
	case mounted && len(p.first) == 0:
		return &MountedError{Points: p.mounted.Points, More: p.mounted.More}
	}
	return &severalError{*p}
}

// severalError is more than one problem.
type severalError struct{ problems Problems }

// Error implements error, with a line for each.
func (e *severalError) Error() string {
	lines := make([]string, 0, len(e.problems.first)+1)
	for _, err := range e.Unwrap() {
		lines = append(lines, err.Error())
	}
	if e.problems.more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", e.problems.more))
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the problems to errors.Is and errors.As.
func (e *severalError) Unwrap() []error {
	if len(e.problems.mounted.Points) == 0 {
		return e.problems.first
	}
	return append([]error{&e.problems.mounted}, e.problems.first...)
}
