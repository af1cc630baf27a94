// Package metadata learns from the metadata service of a cloud what this machine is
// there (Lookup), and what is about to become of it (Await): it is preempted, reclaimed,
// scaled in, put to sleep or restarted, or it is not in service yet.
//
// The service is a web server at a link-local address that only the machine itself
// can ask. Nothing here needs credentials, and nothing is changed there but by Acknowledge: the
// token of AWS is one for asking.
package metadata

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Cloud is a provider whose metadata service we can ask.
type Cloud string

// The clouds that give notice.
const (
	AWS         Cloud = "aws"
	GoogleCloud Cloud = "gcp"
	Azure       Cloud = "azure"
)

// OpenStack stands for every cloud that is made of it. None of them gives notice, so
// it is known to Lookup only.
const OpenStack Cloud = "openstack"

// ParseCloud returns the cloud of that name that gives notice, exactly "aws", "gcp" or
// "azure", or an error that names them.
func ParseCloud(name string) (Cloud, error) {
	switch cloud := Cloud(name); cloud {
	case AWS, GoogleCloud, Azure:
		return cloud, nil
	default:
		return "", fmt.Errorf("unknown cloud %q, known are %q, %q and %q", name, AWS, GoogleCloud, Azure)
	}
}

// Shortest is how long a machine of the cloud has at least when it is told that it goes. Where a notice says no time that can
// be read, it counts from when the notice is heard.
func (c Cloud) Shortest() time.Duration {
	if c == AWS {
		return 2 * time.Minute
	}
	return 30 * time.Second
}

// isTime tells whether a time can be meant: one before the year 2000 is a clock that was not set, or a field that was not.
func isTime(at time.Time) bool { return at.Year() >= 2000 }

// ErrClosed says that the metadata service is there, and tells this program nothing: it is switched off, or its tokens do not come as
// far as a container. Time alone does not mend that.
var ErrClosed = errors.New("the service is closed to this program")

// Kind is what a notice means for what runs on this machine.
type Kind int

const (
	// Leaves says that the machine goes for good, or that nobody knows whether it comes back.
	Leaves Kind = iota
	// Sleeps says that the machine stops and goes on later: where it was, or with a boot.
	Sleeps
	// Waits says that the machine is not in service, and is to do nothing until it is.
	Waits
)

// Notice says what is about to become of this machine. The zero Notice says that nothing is.
type Notice struct {
	Cloud  Cloud
	Kind   Kind
	Reason string    // for people, such as "spot instance will be terminated"
	At     time.Time // when, by the cloud's clock; zero if that is not said, or cannot be read
	// Left is the time until then by the clock that the answer came with, as this machine's may be wrong. Without At it is
	// what the cloud leaves every machine, and zero if there is no such thing.
	Left time.Duration
	// Asks says that the cloud waits for a word of ours, or for longer.
	Asks bool
}

// Limited tells whether Left is a limit.
func (n Notice) Limited() bool { return !n.At.IsZero() || n.Left != 0 }

// same tells whether two notices say the same, whenever they were heard.
func (n Notice) same(other Notice) bool {
	return n.Cloud == other.Cloud && n.Kind == other.Kind && n.Reason == other.Reason && n.At.Equal(other.At)
}

// Await blocks until the cloud says something else of this machine than standing, which is the
// zero Notice at first, or until ctx ends; then it returns ctx's error. The first question may
// tell already. The zero Notice is returned when what stood is over: the cloud has said twice in a
// row that there is nothing. A sleep is over as well where the service has not answered for ten minutes
// of this machine's being awake.
//
// What the service does wrong never ends it: that is logged, at warn when its text is
// another than before and at debug when it is the same, and the service is asked again,
// after 5 s at first and 30 s at last. Only a cloud that ParseCloud does not know
// is refused at once, and so is OpenStack, which has nothing to wait for.
//
// It may be repeated. Nothing is left of it, in particular no connection.
func Await(ctx context.Context, cloud Cloud, standing Notice, log *slog.Logger) (Notice, error) {
	if cloud == OpenStack {
		return Notice{}, fmt.Errorf("cloud %q gives no notice", cloud)
	}
	if _, err := ParseCloud(string(cloud)); err != nil {
		return Notice{}, err
	}
	s := newService()
	defer s.close()
	return newWatch(cloud, s, log).run(ctx, standing)
}

// Now is what the cloud says of this machine at this moment; the zero Notice if that is nothing.
// It asks once, and an answer that does not come before ctx ends is an error; so is one that matches [ErrClosed].
func Now(ctx context.Context, cloud Cloud) (Notice, error) {
	s := newService()
	defer s.close()
	w := newWatch(cloud, s, slog.New(slog.DiscardHandler))
	if w.source == nil {
		return Notice{}, fmt.Errorf("cloud %q gives no notice", cloud)
	}
	notice, err := w.source.ask(ctx)
	if notice != nil {
		return *notice, nil
	}
	return Notice{}, err
}
