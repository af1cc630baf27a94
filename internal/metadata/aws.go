package metadata

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	awsTokenPath   = "/latest/api/token" //nolint:gosec // where tokens come from, not one
	awsActionPath  = "/latest/meta-data/spot/instance-action"
	awsStatePath   = "/latest/meta-data/autoscaling/target-lifecycle-state"
	awsIdentity    = "/latest/dynamic/instance-identity/document"
	awsTTLHeader   = "X-aws-ec2-metadata-token-ttl-seconds"
	awsTokenHeader = "X-aws-ec2-metadata-token" //nolint:gosec // the name of a header

	// awsTTL is how long a token shall live: the most that is allowed.
	awsTTL = 6 * time.Hour
	// awsTokenPatience is less than what other answers may take: where this one is lost, the questions go on without.
	awsTokenPatience = 3 * time.Second
	// awsEarly is how long before its end a token is not used any more.
	awsEarly = time.Minute
)

// aws asks EC2, by version 2 of its service where that exists: there a token is
// fetched first.
type aws struct {
	service *service
	token   string    // empty for version 1
	mute    bool      // it was asked for a token, and said nothing
	renew   time.Time // when to ask for a token again; zero for now
}

// ask tells of spot instances that are taken back, and of those that their
// autoscaling group ends, or keeps for later. A recommendation to rebalance is none: the
// instance may live on for days after it, and a group that heeds it says so in the state.
// Neither is scheduled maintenance, which is told weeks ahead, and shuts the machine down as its
// owner would.
func (a *aws) ask(ctx context.Context) (*Notice, error) {
	// Without a token both questions would fail for the same reason, one after the other.
	if err := a.authenticate(ctx); err != nil {
		return nil, err
	}
	action, actionErr := a.spotAction(ctx)
	if action != nil || actionErr != nil && a.mute {
		return action, actionErr
	}
	state, stateErr := a.lifecycle(ctx)
	return state, errors.Join(actionErr, stateErr)
}

func (a *aws) spotAction(ctx context.Context) (*Notice, error) {
	q := question{path: awsActionPath}
	said, found, err := a.get(ctx, q)
	if err != nil || !found {
		return nil, err
	}
	var action struct {
		Action text `json:"action"`
		Time   text `json:"time"`
	}
	if err := json.Unmarshal([]byte(said.body), &action); err != nil {
		return nil, q.unclear("answer is not the expected JSON")
	}
	notice := &Notice{Cloud: AWS}
	switch action.Action {
	case "terminate":
		notice.Reason = "spot instance will be terminated"
	case "stop":
		notice.Kind, notice.Reason = Sleeps, "spot instance will be stopped"
	case "hibernate":
		notice.Kind, notice.Reason = Sleeps, "spot instance will be hibernated"
	default:
		return nil, q.unclear("answer names no action that is known")
	}
	// An action whose time cannot be read is one all the same: it counts as told now.
	if at, err := time.Parse(time.RFC3339, string(action.Time)); err == nil && isTime(at) {
		notice.At, notice.Left = at, said.left(at)
	} else {
		notice.Left = AWS.Shortest()
	}
	if notice.Kind == Sleeps && notice.Left < -past {
		return nil, nil // it stands there still, and the machine is awake again
	}
	return notice, nil
}

// lifecycle tells what the autoscaling group wants the machine to become. In standby it is
// its owner's, who drains it, and detached it is like any other.
func (a *aws) lifecycle(ctx context.Context) (*Notice, error) {
	said, found, err := a.get(ctx, question{path: awsStatePath})
	if err != nil || !found {
		return nil, err
	}
	switch state := strings.TrimSpace(said.body); {
	case state == "Terminated", state == "Warmed:Terminated":
		return &Notice{Cloud: AWS, Reason: "autoscaling group will terminate the instance", Asks: true}, nil
	case strings.HasPrefix(state, "Warmed:"):
		return &Notice{Cloud: AWS, Kind: Waits, Reason: "autoscaling group keeps the instance in its warm pool", Asks: true}, nil
	}
	return nil, nil
}

// facts are those of the identity document: what the paths of the metadata say one by
// one, it says at once.
func (a *aws) facts(ctx context.Context) (Facts, error) {
	q := question{path: awsIdentity}
	said, found, err := a.get(ctx, q)
	if err != nil {
		return Facts{}, err
	}
	if !found {
		return Facts{}, q.unclear("there is no such document")
	}
	var document struct {
		InstanceID       string `json:"instanceId"`
		Region           string `json:"region"`
		AvailabilityZone string `json:"availabilityZone"`
		InstanceType     string `json:"instanceType"`
	}
	if err := json.Unmarshal([]byte(said.body), &document); err != nil {
		return Facts{}, q.unclear("answer is not the expected JSON")
	}
	return q.facts(Facts{AWS, document.InstanceID, document.Region, document.AvailabilityZone, document.InstanceType})
}

// get asks for a path that exists (found) if there is something to say. A token that
// is refused is replaced once: it may be of another life of this machine, before it was
// hibernated.
func (a *aws) get(ctx context.Context, q question) (said answer, found bool, err error) {
	mute := false
	for range 2 {
		if err := a.authenticate(ctx); err != nil {
			return answer{}, false, err
		}
		if a.token != "" {
			q.header = map[string]string{awsTokenHeader: a.token}
		}
		said, err := a.service.ask(ctx, q)
		if err != nil {
			return answer{}, false, err
		}
		switch said.status {
		case http.StatusOK:
			return said, true, nil
		case http.StatusNotFound:
			return answer{}, false, nil
		case http.StatusUnauthorized:
			if a.mute && mute { // twice: once it may have been about to start
				return answer{}, false, q.failed(fmt.Errorf("%w: it wants a token, and none that it gives comes through; "+
					"a container needs a hop limit of 2", ErrClosed))
			}
			a.token, a.renew, q.header, mute = "", time.Time{}, nil, a.mute
		case http.StatusForbidden:
			return answer{}, false, q.failed(fmt.Errorf("%w: status 403", ErrClosed))
		default:
			return answer{}, false, q.refused(said)
		}
	}
	return answer{}, false, q.unclear("every token is refused")
}

// authenticate sees to a token, unless the service has none to give: then it is one
// of version 1, which answers without. So it may be where the answer with the token is lost: it makes fewer hops than
// others may. Then a token is asked for again soon.
func (a *aws) authenticate(ctx context.Context) error {
	if time.Now().Before(a.renew) {
		return nil
	}
	q := awsTokenQuestion()
	said, err := a.service.ask(ctx, q)
	if a.mute = errors.Is(err, errSilent) && ctx.Err() == nil; a.mute {
		a.token, a.renew = "", time.Now().Add(awsEarly)
		return nil
	}
	if err != nil {
		return err
	}
	switch said.status {
	case http.StatusOK:
	case http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed:
		a.token, a.renew = "", time.Now().Add(awsTTL)
		return nil
	default:
		return q.refused(said)
	}
	token := strings.TrimSpace(said.body)
	if token == "" {
		return q.unclear("answer is an empty token")
	}
	a.token, a.renew = token, time.Now().Add(said.awsLife()-awsEarly)
	return nil
}

func awsTokenQuestion() question {
	return question{
		method: http.MethodPut, path: awsTokenPath, patience: awsTokenPatience,
		header: map[string]string{awsTTLHeader: strconv.Itoa(int(awsTTL / time.Second))},
	}
}

// awsLife is how long the token in an answer lives: as it says, else as it was asked.
func (a answer) awsLife() time.Duration {
	seconds, err := strconv.Atoi(a.header.Get(awsTTLHeader))
	if life := time.Duration(seconds) * time.Second; err == nil && life > 0 && life < awsTTL {
		return life
	}
	return awsTTL
}
