package githubtest

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

const longPoll = 2 * time.Second

// session is one listener's hold on its runner. While it lives no other listener gets one.
type session struct {
	id      string
	version string
	seen    time.Time
	polling int // requests that wait right now
	polls   int
}

// message is what a poll brings.
type message struct {
	ID   int64  `json:"messageId"`
	Type string `json:"messageType"`
	Body string `json:"body"`
}

func (st *state) send(r *record, kind string, body any) {
	raw, err := json.Marshal(body)
	if err != nil {
		st.problems = append(st.problems, err)
		return
	}
	r.inbox = append(r.inbox, message{ID: st.nextID(), Type: kind, Body: string(raw)})
}

// asRunner lets a runner through with the access token it was granted.
func asRunner(h func(*call, *record) answer) func(*call) answer {
	return func(c *call) answer {
		id, known := c.s.accessTokens[bearer(c.Header.Get("Authorization"))]
		if !known {
			return unauthorized()
		}
		c.s.reapSessions() // what has ended meanwhile does not begin again by this call
		r := c.s.runner("", id)
		if r == nil {
			return brokerError(http.StatusNotFound, "RunnerNotFound", "The runner was not found.")
		}
		return h(c, r)
	}
}

func unauthorized() answer {
	a := refuse(http.StatusUnauthorized, "Unauthorized")
	// The runner starts its token exchange only if it is told this.
	a.header = http.Header{"Www-Authenticate": {"Bearer"}}
	return a
}

func brokerError(status int, kind, text string) answer {
	return answer{status: status, body: map[string]any{
		"source": "actions-broker-listener", "errorKind": kind, "statusCode": status, "errorMessage": text,
	}}
}

func tooOld(version string) answer {
	return brokerError(http.StatusForbidden, "RunnerVersionTooOld",
		"Runner version v"+version+" is deprecated and cannot receive messages.")
}

func openSession(c *call, r *record) answer {
	var req struct {
		Owner string `json:"ownerName"`
		Agent struct {
			ID      int64  `json:"id"`
			Name    string `json:"name"`
			Version string `json:"version"`
			OS      string `json:"osDescription"`
		} `json:"agent"`
	}
	if bad := c.decode(&req); bad != nil {
		return *bad
	}
	if r.session != nil {
		return brokerError(http.StatusConflict, "RunnerSessionConflict",
			"A session for this runner already exists.")
	}
	if c.s.deprecated[req.Agent.Version] {
		return tooOld(req.Agent.Version)
	}
	r.Version = req.Agent.Version
	r.unseen = time.Time{}
	r.session = &session{id: newGUID(), version: req.Agent.Version, seen: time.Now()}
	c.s.notify()
	return ok(map[string]any{"sessionId": r.session.id, "ownerName": req.Owner, "agent": req.Agent})
}

func closeSession(c *call, r *record) answer {
	c.s.endSession(r)
	c.s.notify()
	return noContent()
}

// endSession takes a runner offline. A job it was running is lost.
func (st *state) endSession(r *record) {
	r.session, r.unseen = nil, time.Time{}
	r.loseJob()
}

func (r *record) loseJob() {
	if r.job != nil {
		r.job.conclude("lost", r.job.output)
		r.job = nil
	}
}

// reapSessions ends those whose listener stopped asking without a word, as a killed one does, and one on a machine that does
// not run. The job is lost when nobody has come back for it.
func (s broker) reapSessions() {
	for _, r := range s.runners {
		if r.session != nil && r.session.polling == 0 && time.Since(r.session.seen) > s.sessionTTL {
			r.session, r.unseen = nil, r.session.seen
		}
		if r.session == nil && !r.unseen.IsZero() && time.Since(r.unseen) > s.jobTTL {
			s.endSession(r)
		}
	}
}

// poll holds a request until there is a message, or for two seconds.
func (s broker) poll(w http.ResponseWriter, r *http.Request) {
	id, begun := s.beginPoll(r)
	if begun != nil {
		writeAnswer(w, *begun)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), longPoll)
	defer cancel()
	out := answer{status: http.StatusAccepted}
	// The end of the wait is an answer too: there is no message.
	_ = s.await(ctx, func() bool {
		a := s.polled(id, r)
		if a == nil {
			return false
		}
		out = *a
		return true
	})
	s.endPoll(id)
	writeAnswer(w, out)
}

func (s broker) beginPoll(r *http.Request) (int64, *answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, known := s.accessTokens[bearer(r.Header.Get("Authorization"))]
	if !known {
		a := unauthorized()
		return 0, &a
	}
	s.reapSessions()
	if rec := s.runner("", id); rec != nil && rec.session != nil {
		rec.session.polling++
		rec.session.polls++
		s.notify()
	}
	return id, nil
}

func (s broker) endPoll(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if rec := s.runner("", id); rec != nil && rec.session != nil {
		rec.session.polling = max(rec.session.polling-1, 0)
		rec.session.seen = time.Now()
	}
}

// polled is the answer for a waiting runner, or nil if there is nothing to say yet. The caller holds the lock.
func (s broker) polled(id int64, r *http.Request) *answer {
	q := r.URL.Query()
	rec := s.runner("", id)
	var a answer
	switch {
	case rec == nil:
		a = brokerError(http.StatusNotFound, "RunnerNotFound", "The runner was not found.")
	case rec.session == nil || rec.session.id != q.Get("sessionId"):
		a = brokerError(http.StatusUnauthorized, "RunnerSessionInvalid", "The session is not valid any more.")
	case s.deprecated[rec.session.version]:
		a = tooOld(rec.session.version)
	case q.Get("status") == "Busy" && rec.job == nil && len(rec.inbox) == 0:
		// Its job has just ended: the listener is to ask again as a free one.
		a = answer{status: http.StatusAccepted}
	default:
		if q.Get("status") == "Online" && rec.job != nil && rec.job.started {
			rec.loseJob() // it is another listener than the one that had begun it
		}
		m := s.nextMessage(rec, s.origin(r))
		if m == nil {
			return nil
		}
		a = ok(m)
	}
	return &a
}

// nextMessage takes the oldest message, or gives out a job if the runner is free.
func (s broker) nextMessage(r *record, origin string) *message {
	if len(r.inbox) == 0 && r.job == nil {
		s.assignJob(r, origin)
	}
	if len(r.inbox) == 0 {
		return nil
	}
	m := r.inbox[0]
	r.inbox = r.inbox[1:]
	return &m
}

// WaitListening waits until the runner of that name has a live session and has asked for messages.
func (s broker) WaitListening(ctx context.Context, runnerName string) error {
	return s.await(ctx, func() bool {
		r := s.runnerNamed("", runnerName)
		return r != nil && r.session != nil && r.session.polls > 0
	})
}

// DropSessions ends the live session of a runner, as GitHub does some time after it lost sight of a listener.
func (s broker) DropSessions(runnerName string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.runnerNamed("", runnerName); r != nil {
		s.endSession(r)
		s.notify()
	}
}
