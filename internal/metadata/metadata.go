// Package metadata learns from the metadata service of a cloud what this machine is
// there (Lookup), and that it is about to be taken away (Await): preempted, reclaimed,
// scaled in or restarted.
//
// The service is a web server at a link-local address that only the machine itself
// can ask. Nothing here needs credentials, and nothing is ever changed there: the
// token of AWS is one for asking.
package metadata

import (
	"context"
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

// Notice says that this machine will go.
type Notice struct {
	Cloud  Cloud
	Reason string    // for people, such as "spot instance will be terminated"
	At     time.Time // when; zero if that is not said, which may mean at any moment
}

// Await blocks until the cloud gives notice that this machine will go, which the
// first question may tell already, or until ctx ends; then it returns ctx's error.
// What the service does wrong never ends it: that is logged, at warn when its text is
// another than before and at debug when it is the same, and the service is asked again,
// after 5 s at first and 30 s at last. Only a cloud that ParseCloud does not know
// is refused at once, and so is OpenStack, which has nothing to wait for.
//
// It may be repeated: a notice that still stands is given again. Nothing is left of
// it, in particular no connection.
func Await(ctx context.Context, cloud Cloud, log *slog.Logger) (Notice, error) {
	if cloud == OpenStack {
		return Notice{}, fmt.Errorf("cloud %q gives no notice", cloud)
	}
	if _, err := ParseCloud(string(cloud)); err != nil {
		return Notice{}, err
	}
	s := newService()
	defer s.close()
	return newWatch(cloud, s, log).run(ctx)
}
