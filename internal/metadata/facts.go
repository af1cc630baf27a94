package metadata

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/runner-bootstrap/runner-bootstrap/internal/retry"
)

var (
	// ErrNoCloud says that this machine belongs to no cloud that is known.
	ErrNoCloud = errors.New("no cloud that is known")
	// ErrNoAnswer says that this machine belongs to a cloud, but that its metadata
	// service gave no answer that can be used as long as it was waited for.
	ErrNoAnswer = errors.New("no clear answer in time")
)

const (
	// firstPause and lastPause bound how long Lookup waits before it asks again: short at
	// first, as the start of the program waits for it, and never long, as the network of
	// a machine that starts comes up at any moment.
	firstPause = 100 * time.Millisecond
	lastPause  = 2 * time.Second

	// shut is how often in a row a service is to be closed to this program until it is not waited for any more: one answer may
	// come from a service that is just starting.
	shut = 2

	// maxFact is how many bytes a fact may have. Facts become part of names and labels.
	maxFact  = 256
	unusable = "answer has a value that is too long or cannot be printed"
)

// Facts is what a cloud knows of this machine. Cloud and InstanceID are always there;
// any other field is empty if the cloud does not say. No field has more than 256
// bytes, or a character that cannot be printed, such as one that controls a terminal.
type Facts struct {
	Cloud        Cloud
	InstanceID   string // a number in Google Cloud, a UUID in Azure and OpenStack
	Region       string // such as "eu-central-1"
	Zone         string // such as "eu-central-1a"; in Azure a number within the region
	InstanceType string // such as "m7g.large"
}

// Lookup asks the cloud that this machine belongs to about it. Where the firmware
// says which one that is, which it does on Linux, the machine may have just been
// started: the service is asked until it answers, or until ctx ends, after pauses of
// 100 ms at first and 2 s at last. So ctx should have a deadline. Where the
// firmware does not say, the services of all clouds are asked once, which takes a second
// at most, and one that answers then is asked for the facts as long.
//
// The error is ErrNoCloud if no cloud was found. It is both ErrNoAnswer and ctx's error
// if ctx ended before there was an answer from a cloud that was found, and tells what
// was asked in vain, and why. It is ctx's error alone if ctx ended before it was known
// whether there is a cloud. It is ErrClosed, before ctx ends, where the service says
// twice in a row that it is closed. With any error Facts are empty. Lookup may be
// repeated, and nothing is left of it, in particular no connection.
func Lookup(ctx context.Context) (Facts, error) {
	return lookup(ctx, os.DirFS(dmiFolder))
}

// lookup is Lookup with what the firmware says.
func lookup(ctx context.Context, firmware fs.FS) (Facts, error) {
	s := newService()
	defer s.close()
	cloud, found := fromDMI(firmware)
	if !found {
		cloud, found = probe(ctx, s)
	}
	switch {
	case found:
	case ctx.Err() != nil:
		return Facts{}, fmt.Errorf("looking for a cloud: %w", ctx.Err())
	default:
		return Facts{}, fmt.Errorf("looking for a cloud: %w", ErrNoCloud)
	}
	facts, err := persist(ctx, func(ctx context.Context) (Facts, error) { return factsOf(ctx, cloud, s) })
	if err != nil {
		return Facts{}, fmt.Errorf("looking up the facts of cloud %q: %w", cloud, err)
	}
	return facts, nil
}

// factsOf asks once. Nothing is kept from one time to the next, as what a service said
// while it was starting, such as that it has no tokens, need not be true later.
func factsOf(ctx context.Context, cloud Cloud, s *service) (Facts, error) {
	switch cloud {
	case AWS:
		return (&aws{service: s}).facts(ctx)
	case GoogleCloud:
		return (&google{service: s}).facts(ctx)
	case Azure:
		return (&azure{service: s}).facts(ctx)
	case OpenStack:
		return (&openStack{service: s}).facts(ctx)
	default:
		return Facts{}, fmt.Errorf("unknown cloud %q", cloud)
	}
}

// persist asks again and again until there is an answer, or none to wait for, or ctx ends.
func persist(ctx context.Context, ask func(context.Context) (Facts, error)) (Facts, error) {
	var last error
	closed := 0
	for failures := 1; ; failures++ {
		facts, err := ask(ctx)
		if err == nil {
			return facts, nil
		}
		if closed++; !errors.Is(err, ErrClosed) {
			closed = 0
		}
		if closed == shut && ctx.Err() == nil {
			return Facts{}, err
		}
		if ctx.Err() != nil && last != nil {
			// The end of ctx may have cut this question short, so it says too little by itself.
			err = fmt.Errorf("%w, after %w", err, last)
		}
		last = err
		_ = retry.Sleep(ctx, retry.Backoff{First: firstPause, Most: lastPause}.Wait(failures)) // that ctx has ended is seen next
		if ctx.Err() != nil {
			return Facts{}, fmt.Errorf("%w (%w): %w", ErrNoAnswer, ctx.Err(), last)
		}
	}
}

// facts returns the facts that an answer to the question has told, if it has told who
// this machine is and nothing that must not get into a name.
func (q question) facts(f Facts) (Facts, error) {
	if f.InstanceID == "" {
		return Facts{}, q.unclear("answer does not name the instance")
	}
	for _, value := range []string{f.InstanceID, f.Region, f.Zone, f.InstanceType} {
		if !isFact(value) {
			return Facts{}, q.unclear(unusable)
		}
	}
	return f, nil
}

// isFact tells whether a value is fit for names and labels, or empty.
func isFact(value string) bool {
	return len(value) <= maxFact && !strings.ContainsFunc(value, func(r rune) bool {
		return r == utf8.RuneError || !unicode.IsPrint(r)
	})
}
