package metadata

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/retry"
)

const (
	googleRootPath        = "/computeMetadata/v1/"
	googlePreemptedPath   = googleRootPath + "instance/preempted"
	googleMaintenancePath = googleRootPath + "instance/maintenance-event"
	googleIDPath          = googleRootPath + "instance/id"
	googleZonePath        = googleRootPath + "instance/zone"
	googleTypePath        = googleRootPath + "instance/machine-type"
	googleFlavorHeader    = "Metadata-Flavor"
	googleFlavor          = "Google"

	// googlePatience is for a question that the service holds back for the 60 s of
	// googleWait until there is something new.
	googlePatience = 70 * time.Second
	googleWait     = "60"
)

// google asks Compute Engine.
type google struct {
	service *service
	etag    string // of the last answer about preemption; empty to be answered at once
}

// heard is what one question has brought.
type heard struct {
	notice *Notice
	err    error
}

// ask tells of preemption, and of maintenance that ends the machine within about a minute, each as soon as it is known: both are
// asked at once, and neither waits for the other. It returns when preemption has been answered, which may be held back, and
// maintenance at least once; with a notice it returns at once. Maintenance that moves the machine to another host leaves it running.
func (g *google) ask(ctx context.Context) (*Notice, error) {
	asking, cancel := context.WithCancel(ctx)
	var both sync.WaitGroup
	defer both.Wait()
	defer cancel()
	preempted, events := make(chan heard, 1), make(chan heard)
	both.Go(func() {
		notice, err := g.preempted(asking)
		preempted <- heard{notice, err}
	})
	both.Go(func() { g.events(asking, events) })
	var preemption, event heard
	for held, unheard := true, true; held || unheard; {
		select {
		case preemption = <-preempted:
			held = false
		case event = <-events:
			unheard = false
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), event.err, preemption.err)
		}
		if notice := cmp.Or(preemption.notice, event.notice); notice != nil {
			return notice, errors.Join(event.err, preemption.err)
		}
	}
	if event.err != nil && preemption.err == nil {
		return nil, &besideError{event.err}
	}
	return nil, errors.Join(event.err, preemption.err)
}

// events asks for maintenance until ctx ends, and says what each answer is. The first question is answered at once, and so is
// every one where the service has no ETag, or does not hold back: such a one is asked again after a pause.
func (g *google) events(ctx context.Context, say chan<- heard) {
	for etag := ""; ; {
		begin, waits := time.Now(), etag != ""
		var is heard
		is.notice, etag, is.err = g.maintenance(ctx, etag)
		select {
		case say <- is:
		case <-ctx.Done():
			return
		}
		if etag != "" && !waits {
			continue
		}
		if retry.Sleep(ctx, time.Until(begin.Add(pollInterval))) != nil {
			return
		}
	}
}

// maintenance waits for a change of what was answered with the ETag, if there is one, and returns that of this answer.
func (g *google) maintenance(ctx context.Context, etag string) (n *Notice, next string, err error) {
	said, err := g.get(ctx, question{path: googleMaintenancePath}.afterChange(etag))
	if said.status == http.StatusNotFound {
		// What stands in for the service in a cluster may not have it. That is no
		// failure to wait after: the notice of preemption is short.
		return nil, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	if strings.TrimSpace(said.body) == "TERMINATE_ON_HOST_MAINTENANCE" {
		n = &Notice{Cloud: GoogleCloud, Kind: Sleeps, Reason: "instance will be terminated for maintenance of its host"}
	}
	return n, said.header.Get("ETag"), nil
}

// preempted waits for a change only after an answer that has an ETag, since a change
// between two questions would be missed without.
func (g *google) preempted(ctx context.Context) (*Notice, error) {
	q := question{path: googlePreemptedPath}.afterChange(g.etag)
	g.etag = "" // of no use after an error: what is asked then shall be answered at once
	said, err := g.get(ctx, q)
	if err != nil {
		return nil, err
	}
	switch strings.TrimSpace(said.body) {
	case "TRUE":
		return &Notice{Cloud: GoogleCloud, Reason: "instance is being preempted", Left: GoogleCloud.Shortest()}, nil
	case "FALSE":
		g.etag = said.header.Get("ETag")
		return nil, nil
	default:
		return nil, q.unclear("answer is neither TRUE nor FALSE")
	}
}

// afterChange is the question with its answer held back until there is another than that of the ETag; it is the same without one.
func (q question) afterChange(etag string) question {
	if etag == "" {
		return q
	}
	wait := url.Values{"wait_for_change": {"true"}, "timeout_sec": {googleWait}, "last_etag": {etag}}
	q.path += "?" + wait.Encode()
	q.patience = googlePatience
	return q
}

// get takes an answer only from what says of itself that it is Google's service. One
// with a status of failure is an error, and returned all the same.
func (g *google) get(ctx context.Context, q question) (answer, error) {
	q.header = map[string]string{googleFlavorHeader: googleFlavor}
	said, err := g.service.ask(ctx, q)
	switch {
	case err != nil:
		return answer{}, err
	case said.status != http.StatusOK:
		return said, q.refused(said)
	case said.header.Get(googleFlavorHeader) != googleFlavor:
		return answer{}, q.unclear("answer is not from Google's metadata service")
	}
	return said, nil
}

// facts asks for each by itself. All in one answer would come with what users attach to
// their machines: start-up scripts, which are large, and secrets, which are theirs.
func (g *google) facts(ctx context.Context) (Facts, error) {
	q := question{path: googleIDPath}
	said, err := g.get(ctx, q)
	if err != nil {
		return Facts{}, err
	}
	id := strings.TrimSpace(said.body)
	if _, err := strconv.ParseUint(id, 10, 64); err != nil {
		return Facts{}, q.unclear("answer is not a number")
	}
	zone, err := g.resource(ctx, googleZonePath, "zones")
	if err != nil {
		return Facts{}, err
	}
	machine, err := g.resource(ctx, googleTypePath, "machineTypes")
	if err != nil {
		return Facts{}, err
	}
	region := ""
	if end := strings.LastIndexByte(zone, '-'); end > 0 { // europe-west1 of europe-west1-b
		region = zone[:end]
	}
	return q.facts(Facts{GoogleCloud, id, region, zone, machine})
}

// resource asks for a name such as "projects/1234/zones/europe-west1-b", and returns
// what is last in it. It is empty if the service has none: what stands in for it in a
// cluster may not.
func (g *google) resource(ctx context.Context, where, kind string) (string, error) {
	q := question{path: where}
	said, err := g.get(ctx, q)
	if said.status == http.StatusNotFound {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	folder, name := path.Split(strings.TrimSpace(said.body))
	if !strings.HasPrefix(folder, "projects/") || path.Base(folder) != kind || name == "" || !isFact(name) {
		return "", q.unclear("answer is not the expected name")
	}
	return name, nil
}
