package metadata

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// Paths as the documentation of the clouds has them.
const (
	action      = "/latest/meta-data/spot/instance-action"
	lifecycle   = "/latest/meta-data/autoscaling/target-lifecycle-state"
	preempted   = "/computeMetadata/v1/instance/preempted"
	maintenance = "/computeMetadata/v1/instance/maintenance-event"
	events      = "/metadata/scheduledevents"
	vmName      = "/metadata/instance/compute/name"
	token       = "/latest/api/token"
	identity    = "/latest/dynamic/instance-identity/document"
	ec2Type     = "/latest/meta-data/instance-type"
	instanceID  = "/computeMetadata/v1/instance/id"
	zone        = "/computeMetadata/v1/instance/zone"
	machineType = "/computeMetadata/v1/instance/machine-type"
	compute     = "/metadata/instance/compute"
	metaData    = "/openstack/latest/meta_data.json"
)

func testAWS(t *testing.T) {
	at := time.Date(2017, 9, 18, 8, 22, 0, 0, time.UTC)
	soon := time.Now().Add(100 * time.Second).UTC().Truncate(time.Second)
	for body, want := range map[string]struct {
		kind   Kind
		reason string
		at     time.Time
	}{
		`{"action": "terminate", "time": "2017-09-18T08:22:00Z"}`:           {Leaves, "spot instance will be terminated", at},
		`{"action":"stop","time":"` + soon.Format(time.RFC3339) + `"}`:      {Sleeps, "spot instance will be stopped", soon},
		`{"action":"hibernate","time":"` + soon.Format(time.RFC3339) + `"}`: {Sleeps, "spot instance will be hibernated", soon},
		`{"action":"hibernate"}`:                               {Sleeps, "spot instance will be hibernated", time.Time{}},
		`{"action":"terminate","time":"soon"}`:                 {Leaves, "spot instance will be terminated", time.Time{}},
		`{"action":"terminate"}`:                               {Leaves, "spot instance will be terminated", time.Time{}},
		`{"action":"terminate","time":1796283000}`:             {Leaves, "spot instance will be terminated", time.Time{}},
		`{"action":"terminate","time":{"at":["soon"]}}`:        {Leaves, "spot instance will be terminated", time.Time{}},
		`{"action":"terminate","time":null}`:                   {Leaves, "spot instance will be terminated", time.Time{}},
		`{"action":"terminate","time":"0001-01-01T00:00:00Z"}`: {Leaves, "spot instance will be terminated", time.Time{}},
		`{"action":"hibernate","time":"1970-01-01T00:00:00Z"}`: {Sleeps, "spot instance will be hibernated", time.Time{}},
	} {
		t.Run(body, func(t *testing.T) {
			configure(t)
			s := newSimulatedAWS(t)
			w := start(t, AWS)
			w.polled(t, s.simulator, action, 3)
			w.silent(t, "")
			before := s.set(action, body)
			w.gives(t, want.reason, want.at)
			if polls := s.count(action) - before; polls > 1 || w.notice.Cloud != AWS || w.notice.Kind != want.kind || w.notice.Asks {
				t.Errorf("got it after %d polls, want one: %+v", polls, w.notice)
			}
			if !w.notice.Limited() || want.at.IsZero() && w.notice.Left != 2*time.Minute {
				t.Errorf("what names no time that can be read is to count as told now: %+v", w.notice)
			}
			if n := s.tokens(); n != 1 {
				t.Errorf("%d tokens were issued, want one for all questions", n)
			}
		})
	}
	testAWSClock(t, soon)
	testAWSGroup(t)
	for _, body := range []string{`{"action":"","time":"2017-09-18T08:22:00Z"}`, `{"action":"noop"}`, `{"action":["terminate"]}`, `["terminate"]`, "terminate", `{}`} {
		t.Run("no notice: "+body, func(t *testing.T) {
			configure(t)
			s := newSimulatedAWS(t)
			s.set(action, body)
			w := start(t, AWS)
			w.polled(t, s.simulator, action, 3)
			w.silent(t, "answer ")
		})
	}
	t.Run("lifecycle", func(t *testing.T) {
		configure(t)
		s := newSimulatedAWS(t)
		w := start(t, AWS)
		for _, state := range []string{"InService", "Standby", "Detached", "", "Warm", "Terminated:Wait"} {
			s.set(lifecycle, state)
			w.polled(t, s.simulator, lifecycle, 2)
			w.silent(t, "")
		}
		// One question that fails is no reason not to hear the other.
		s.spoil(action, func(w http.ResponseWriter, r *http.Request) { http.Error(w, "", http.StatusServiceUnavailable) })
		s.set(lifecycle, "Terminated\n")
		w.gives(t, "autoscaling group will terminate the instance", time.Time{})
	})
	t.Run("rebalance recommendation", func(t *testing.T) {
		configure(t)
		s := newSimulatedAWS(t)
		s.set("/latest/meta-data/events/recommendations/rebalance", `{"noticeTime": "2020-10-27T08:22:00Z"}`)
		w := start(t, AWS)
		w.polled(t, s.simulator, lifecycle, 3)
		w.silent(t, "")
	})
	testAWSTokens(t)
}

// testAWSClock: what is left is counted by the clock of the service, and a sleep that has been is over.
func testAWSClock(t *testing.T, soon time.Time) {
	t.Helper()
	const terminate, hibernate = `{"action":"terminate","time":%q}`, `{"action":"hibernate","time":%q}`
	for name, c := range map[string]struct {
		body string
		date time.Time // of the answer; zero for none
		left time.Duration
		none bool
	}{
		"their clock is a day ahead":      {terminate, soon.Add(-90 * time.Second), 90 * time.Second, false},
		"their clock is a day back":       {terminate, soon.Add(-24 * time.Hour), 24 * time.Hour, false},
		"no clock":                        {terminate, time.Time{}, time.Until(soon), false},
		"a time that has been":            {terminate, soon.Add(time.Hour), -time.Hour, false},
		"a sleep":                         {hibernate, soon.Add(-time.Minute), time.Minute, false},
		"a sleep that begins":             {hibernate, soon.Add(time.Minute), -time.Minute, false},
		"a sleep that has been":           {hibernate, soon.Add(3 * time.Minute), 0, true},
		"a sleep that was a day and more": {hibernate, soon.Add(25 * time.Hour), 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			configure(t)
			s := newSimulatedAWS(t)
			body := fmt.Sprintf(c.body, soon.Format(time.RFC3339))
			s.spoil(action, func(w http.ResponseWriter, r *http.Request) {
				w.Header()["Date"] = nil
				if !c.date.IsZero() {
					w.Header().Set("Date", c.date.Format(http.TimeFormat))
				}
				io.WriteString(w, body)
			})
			w := start(t, AWS)
			if c.none {
				w.polled(t, s.simulator, lifecycle, 3)
				w.silent(t, "")
				s.set(lifecycle, "Terminated") // it hides nothing that comes later
				w.gives(t, "autoscaling group will terminate the instance", time.Time{})
				return
			}
			<-w.done
			least := c.left
			if c.date.IsZero() {
				least = time.Until(soon)
			}
			if w.err != nil || w.notice.Left < least || w.notice.Left > c.left {
				t.Errorf("got %+v and %v, want %s left", w.notice, w.err, c.left)
			}
		})
	}
}

// testAWSGroup: what the autoscaling group wants, and that it wants it no longer.
func testAWSGroup(t *testing.T) {
	t.Helper()
	for state, kind := range map[string]Kind{
		"Terminated": Leaves, "Warmed:Terminated": Leaves, "Warmed:Stopped": Waits, "Warmed:Running": Waits, "Warmed:Hibernated\n": Waits,
	} {
		t.Run(state, func(t *testing.T) {
			configure(t)
			s := newSimulatedAWS(t)
			s.set(lifecycle, state)
			w := start(t, AWS)
			<-w.done
			if n := w.notice; w.err != nil || n.Kind != kind || !n.Asks || n.Limited() || n.Reason == "" {
				t.Errorf("got %+v and %v", n, w.err)
			}
			if now, err := Now(t.Context(), AWS); err != nil || !now.same(w.notice) {
				t.Errorf("asked once: %+v and %v", now, err)
			}
			again := startAfter(t, AWS, w.notice)
			again.polled(t, s.simulator, lifecycle, 3)
			again.silent(t, "")
			s.set(lifecycle, "InService")
			again.gives(t, "", time.Time{})
			if again.notice != (Notice{}) {
				t.Errorf("got %+v, want that it is over", again.notice)
			}
			if now, err := Now(t.Context(), AWS); err != nil || now != (Notice{}) {
				t.Errorf("asked once: %+v and %v", now, err)
			}
		})
	}
	t.Run("in place of another", func(t *testing.T) {
		configure(t)
		s := newSimulatedAWS(t)
		s.set(action, `{"action":"hibernate"}`)
		w := startAfter(t, AWS, Notice{Cloud: AWS, Kind: Sleeps, Reason: "spot instance will be hibernated"})
		w.polled(t, s.simulator, action, 3)
		s.set(action, `{"action":"terminate"}`)
		w.gives(t, "spot instance will be terminated", time.Time{})
	})
}

func testAWSTokens(t *testing.T) {
	t.Run("token refused", func(t *testing.T) {
		configure(t)
		s := newSimulatedAWS(t)
		w := start(t, AWS)
		w.polled(t, s.simulator, lifecycle, 2)
		s.revoke()
		w.polled(t, s.simulator, lifecycle, 3)
		w.silent(t, "")
		if n := s.tokens(); n != 2 {
			t.Errorf("%d tokens were issued, want 2", n)
		}
		s.revoke()
		s.set(action, `{"action":"terminate"}`)
		w.gives(t, "spot instance will be terminated", time.Time{})
	})
	t.Run("every token refused", func(t *testing.T) {
		configure(t)
		s := newSimulatedAWS(t)
		unauthorized := func(w http.ResponseWriter, r *http.Request) { http.Error(w, "", http.StatusUnauthorized) }
		s.spoil(action, unauthorized)
		w := start(t, AWS)
		w.polled(t, s.simulator, lifecycle, 3)
		w.silent(t, "every token is refused")
		if asked, turns := s.count(action), s.count(lifecycle); asked > 2*(turns+1) {
			t.Errorf("asked %d times in %d turns, want two each", asked, turns)
		}
	})
	t.Run("short life of tokens", func(t *testing.T) {
		configure(t)
		s := newSimulatedAWS(t)
		s.life = 61 // so that it is not used any more after a second
		w := start(t, AWS)
		w.until(t, "another token", func() bool { return s.tokens() > 1 })
		w.silent(t, "")
		if n := s.count(lifecycle); n < 5 {
			t.Errorf("the first token was used in %d turns only", n)
		}
	})
	for _, status := range []int{403, 404, 405} {
		t.Run(fmt.Sprintf("version 1, %d", status), func(t *testing.T) {
			configure(t)
			s := newSimulatedAWS(t)
			s.optional = true
			s.spoil("/latest/api/token", func(w http.ResponseWriter, r *http.Request) { http.Error(w, "", status) })
			w := start(t, AWS)
			w.polled(t, s.simulator, lifecycle, 3)
			w.silent(t, "")
			if n := s.count("/latest/api/token"); n != 1 {
				t.Errorf("asked for a token %d times, want once", n)
			}
			// If version 1 is forbidden later, version 2 is used.
			s.mu.Lock()
			s.optional = false
			s.mu.Unlock()
			s.spoil("/latest/api/token", nil)
			w.polled(t, s.simulator, lifecycle, 3)
			w.silent(t, "")
			s.set(action, `{"action":"terminate"}`)
			w.gives(t, "spot instance will be terminated", time.Time{})
		})
	}
	t.Run("tokens that make fewer hops", testAWSHops)
	t.Run("switched off", func(t *testing.T) {
		configure(t)
		s := newSimulatedAWS(t)
		off := func(w http.ResponseWriter, r *http.Request) { http.Error(w, "", http.StatusForbidden) }
		for _, path := range []string{"/latest/api/token", action, lifecycle} {
			s.spoil(path, off)
		}
		if notice, err := Now(t.Context(), AWS); !errors.Is(err, ErrClosed) {
			t.Errorf("%+v, %v", notice, err)
		}
	})
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		logged string
	}{
		"500":   {func(w http.ResponseWriter, r *http.Request) { http.Error(w, "", 500) }, "unexpected status 500"},
		"400":   {func(w http.ResponseWriter, r *http.Request) { http.Error(w, "", 400) }, "unexpected status 400"},
		"empty": {func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "\n") }, "empty token"},
	} {
		t.Run("no token, "+name, func(t *testing.T) {
			configure(t)
			s := newSimulatedAWS(t)
			s.optional = true
			s.spoil("/latest/api/token", c.answer)
			w := start(t, AWS)
			w.polled(t, s.simulator, "/latest/api/token", 4)
			w.silent(t, c.logged)
			if n := s.count(action); n != 0 {
				t.Errorf("asked without a token %d times", n)
			}
		})
	}
}

func testGoogle(t *testing.T) {
	t.Run("preempted before", func(t *testing.T) {
		configure(t)
		s := newSimulatedGoogle(t)
		s.set(preempted, "TRUE")
		w := start(t, GoogleCloud)
		w.gives(t, "instance is being preempted", time.Time{})
		if w.notice.Kind != Leaves || w.notice.Left != 30*time.Second {
			t.Errorf("got %+v", w.notice)
		}
	})
	t.Run("preempted while waiting", func(t *testing.T) {
		configure(t)
		s := newSimulatedGoogle(t)
		w := start(t, GoogleCloud)
		w.until(t, "a question held back", func() bool { return s.held() == 1 })
		w.silent(t, "")
		before := s.set(preempted, "TRUE")
		w.gives(t, "instance is being preempted", time.Time{})
		if n := s.count(preempted); n != before || before != 2 {
			t.Errorf("asked %d times before and %d after, want 2: at once, and waiting", before, n)
		}
		want := []string{"", "last_etag=46414c5345&timeout_sec=60&wait_for_change=true"}
		if !slices.Equal(s.queries, want) || w.notice.Cloud != GoogleCloud {
			t.Errorf("asked %q, want %q; got %+v", s.queries, want, w.notice)
		}
	})
	t.Run("answer without an ETag", func(t *testing.T) {
		configure(t)
		s := newSimulatedGoogle(t)
		s.spoil(preempted, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Metadata-Flavor", "Google")
			if r.URL.RawQuery != "" {
				http.Error(w, "a change may be missed", http.StatusBadRequest)
				return
			}
			io.WriteString(w, "FALSE")
		})
		w := start(t, GoogleCloud)
		w.polled(t, s.simulator, preempted, 4)
		w.silent(t, "")
	})
	t.Run("after an error", func(t *testing.T) {
		configure(t)
		s := newSimulatedGoogle(t)
		w := start(t, GoogleCloud)
		w.until(t, "a question held back", func() bool { return s.held() == 1 })
		s.spoil(preempted, func(w http.ResponseWriter, r *http.Request) { http.Error(w, "", http.StatusServiceUnavailable) })
		s.set(maintenance, "NONE") // ends the wait
		w.until(t, "an error", func() bool { return w.count("unexpected status 503") > 0 })
		s.spoil(preempted, nil)
		w.until(t, "a question held back", func() bool { return s.held() == 1 })
		s.mu.Lock()
		defer s.mu.Unlock()
		if n := len(s.queries); n < 2 || s.queries[n-1] != "" {
			t.Errorf("asked %q, want the last that was answered to be one that does not wait", s.queries)
		}
	})
	testGoogleMaintenance(t)
	for status, logged := range map[int]string{404: "", 503: "unexpected status 503"} {
		t.Run(fmt.Sprintf("maintenance %d", status), func(t *testing.T) {
			configure(t)
			s := newSimulatedGoogle(t)
			s.spoil(maintenance, func(w http.ResponseWriter, r *http.Request) { http.Error(w, "", status) })
			w := start(t, GoogleCloud)
			w.until(t, "a question held back", func() bool { return s.held() == 1 })
			w.silent(t, logged)
			s.set(preempted, "TRUE")
			w.gives(t, "instance is being preempted", time.Time{})
		})
	}
	t.Run("answers of somebody else", func(t *testing.T) {
		configure(t)
		s := newSimulatedGoogle(t)
		s.spoil(preempted, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "TRUE") })
		w := start(t, GoogleCloud)
		w.polled(t, s.simulator, preempted, 4)
		w.silent(t, "answer is not from Google's metadata service")
	})
}

// testGoogleMaintenance: it is heard at once, also while the question about preemption is held back, and the other way round.
func testGoogleMaintenance(t *testing.T) {
	t.Helper()
	const ends = "TERMINATE_ON_HOST_MAINTENANCE"
	// only changes one value, and lets no question about another one go.
	only := func(s *simulatedGoogle, path, value string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.values[path] = value
	}
	t.Run("maintenance", func(t *testing.T) {
		configure(t)
		s := newSimulatedGoogle(t)
		w := start(t, GoogleCloud)
		for _, value := range []string{"NONE", "MIGRATE_ON_HOST_MAINTENANCE", ""} {
			s.set(maintenance, value)
			w.until(t, "both questions held back", func() bool { return s.held() == 1 && s.heldFor(maintenance) == 1 })
			w.silent(t, "")
		}
		s.set(maintenance, ends)
		w.gives(t, "instance will be terminated for maintenance of its host", time.Time{})
		if w.notice.Kind != Sleeps || w.notice.Limited() {
			t.Errorf("got %+v", w.notice)
		}
	})
	t.Run("maintenance while preemption is held back", func(t *testing.T) {
		configure(t)
		s := newSimulatedGoogle(t)
		s.spoil(preempted, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.RawQuery != "" {
				<-r.Context().Done()
				return
			}
			s.handle(w, r)
		})
		w := start(t, GoogleCloud)
		w.until(t, "maintenance held back", func() bool { return s.count(preempted) == 2 && s.heldFor(maintenance) == 1 })
		s.set(maintenance, ends)
		w.gives(t, "instance will be terminated for maintenance of its host", time.Time{})
	})
	t.Run("maintenance without an ETag", func(t *testing.T) {
		configure(t)
		s := newSimulatedGoogle(t)
		s.spoil(maintenance, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Metadata-Flavor", "Google")
			value, _, _ := s.get(maintenance)
			io.WriteString(w, value)
		})
		w := start(t, GoogleCloud)
		w.until(t, "a question held back", func() bool { return s.held() == 1 })
		only(s, maintenance, ends)
		w.gives(t, "instance will be terminated for maintenance of its host", time.Time{})
	})
	t.Run("a service that does not hold back", func(t *testing.T) {
		configure(t)
		s := newSimulatedGoogle(t)
		s.spoil(maintenance, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Metadata-Flavor", "Google")
			w.Header().Set("ETag", "1")
			io.WriteString(w, "NONE")
		})
		w := start(t, GoogleCloud)
		w.until(t, "a question held back", func() bool { return s.held() == 1 })
		time.Sleep(200 * time.Millisecond)
		if n := s.count(maintenance); n > 4 {
			t.Errorf("asked %d times without a pause", n)
		}
	})
	t.Run("preemption while maintenance is silent", func(t *testing.T) {
		configure(t)
		s := newSimulatedGoogle(t)
		s.spoil(maintenance, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		s.set(preempted, "TRUE")
		begin := time.Now()
		w := start(t, GoogleCloud)
		w.gives(t, "instance is being preempted", time.Time{})
		if took := time.Since(begin); took > 2*time.Second {
			t.Errorf("heard after %s, want at once", took)
		}
		until(t, "all connections closed", func() bool { return s.connections() == 0 })
	})
}

func testAzure(t *testing.T) {
	const before = "Mon, 19 Sep 2016 18:29:47 GMT"
	at := time.Date(2016, 9, 19, 18, 29, 47, 0, time.UTC)
	for name, c := range map[string]struct {
		body   string
		reason string
		at     time.Time
	}{
		"preempt":         {eventList(event("Preempt", before, "worker_1")), "spot virtual machine will be deleted", at},
		"terminate":       {eventList(event("Terminate", before, "worker_1")), "virtual machine will be deleted", at},
		"reboot":          {eventList(event("Reboot", before, "worker_1")), "virtual machine will be restarted", at},
		"redeploy":        {eventList(event("Redeploy", before, "worker_1")), "virtual machine will be moved to another host and restarted", at},
		"begun":           {eventList(event("Preempt", "", "worker_1")), "spot virtual machine will be deleted", time.Time{}},
		"among others":    {eventList(event("Preempt", before, "worker_0", "WORKER_1")), "spot virtual machine will be deleted", at},
		"second event":    {eventList(event("Preempt", "", "worker_2"), event("Freeze", "", "worker_1"), event("Terminate", before, "worker_1")), "virtual machine will be deleted", at},
		"most urgent":     {eventList(event("Reboot", "Mon, 19 Sep 2016 18:45:00 GMT", "worker_1"), event("Preempt", before, "worker_1")), "spot virtual machine will be deleted", at},
		"most urgent 1st": {eventList(event("Preempt", before, "worker_1"), event("Reboot", "Mon, 19 Sep 2016 18:45:00 GMT", "worker_1")), "spot virtual machine will be deleted", at},
		"freeze":          {eventList(event("Freeze", before, "worker_1")), "", at},
		"something new":   {eventList(event("Levitate", before, "worker_1")), "", at},
		"reboot begun":    {eventList(event("Reboot", "", "worker_1")), "", at},
		"redeploy begun":  {eventList(event("Redeploy", "", "worker_1")), "", at},
		"another machine": {eventList(event("Preempt", before, "worker_10")), "", at},
		"nothing":         {eventList(), "", at},
		"null":            {`{"DocumentIncarnation":1,"Events":null}`, "", at},
	} {
		t.Run(name, func(t *testing.T) {
			configure(t)
			s := newSimulatedAzure(t)
			w := start(t, Azure)
			w.polled(t, s, events, 2)
			polls := s.set(events, c.body)
			if c.reason == "" {
				w.polled(t, s, events, 4)
				w.silent(t, "")
				if n := s.count(vmName); n > 1 {
					t.Errorf("the name was asked %d times, want once at most", n)
				}
				return
			}
			w.gives(t, c.reason, c.at)
			if polls = s.count(events) - polls; polls > 1 || w.notice.Cloud != Azure {
				t.Errorf("got it after %d polls, want one: %+v", polls, w.notice)
			}
			restarts := strings.Contains(c.reason, "restarted")
			if (w.notice.Kind == Sleeps) != restarts || w.notice.Limited() == c.at.IsZero() || w.notice.Asks != (!c.at.IsZero() && name != "among others") {
				t.Errorf("got %+v", w.notice)
			}
		})
	}
	testAzureOddFields(t, before, at)
	for name, answer := range map[string]http.HandlerFunc{
		"500":   func(w http.ResponseWriter, r *http.Request) { http.Error(w, "worker_1", 500) },
		"empty": func(w http.ResponseWriter, r *http.Request) {},
	} {
		t.Run("no name, "+name, func(t *testing.T) {
			configure(t)
			s := newSimulatedAzure(t)
			s.spoil(vmName, answer)
			s.set(events, eventList(event("Preempt", before, "worker_2")))
			w := start(t, Azure)
			w.gives(t, "spot virtual machine will be deleted", at)
			if w.count("level=WARN") != 1 || !strings.Contains(w.String(), "for "+vmName) {
				t.Errorf("the log does not say that the name cannot be had: %s", w.String())
			}
		})
	}
}

// testAzureOddFields: what one field of an event is not takes no other field away, and no event beside it.
func testAzureOddFields(t *testing.T, before string, at time.Time) {
	t.Helper()
	const gone, restarted = "spot virtual machine will be deleted", "virtual machine will be restarted"
	odd := func(event, from, to string) string { return strings.Replace(event, from, to, 1) }
	preempt, reboot, freeze := event("Preempt", before, "worker_1"), event("Reboot", before, "worker_1"), event("Freeze", before, "worker_1")
	const list, time0 = `["worker_1"]`, `"Mon, 19 Sep 2016 18:29:47 GMT"`
	later := event("Preempt", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat), "worker_1")
	for name, c := range map[string]struct {
		body   string
		reason string
		at     time.Time
		left   time.Duration // zero for any
	}{
		"machines as a string, beside":       {eventList(odd(freeze, list, `"vm1"`), preempt), gone, at, 0},
		"another's, as a string":             {eventList(odd(odd(preempt, list, `"vm1"`), before, ""), reboot), restarted, at, 0},
		"ours as a string":                   {eventList(odd(preempt, list, `"worker_1"`)), gone, at, 0},
		"machines that cannot be read":       {eventList(odd(preempt, list, `{"a":1}`)), gone, at, 0},
		"one machine that cannot be read":    {eventList(odd(preempt, list, `["vm1",7]`)), gone, at, 0},
		"no event, beside":                   {eventList(`"Preempt"`, `7`, `null`, `[]`, preempt), gone, at, 0},
		"a type that is none, beside":        {eventList(odd(preempt, `"Preempt"`, `["Preempt"]`), reboot), restarted, at, 0},
		"an id that is a number":             {eventList(odd(preempt, `"f020ba2e-3bc0-4c40-a10b-86575a9eabd5"`, `17`)), gone, at, 0},
		"a time that is a number":            {eventList(odd(preempt, time0, `1474309787`)), gone, time.Time{}, 30 * time.Second},
		"a time of no clock":                 {eventList(odd(preempt, time0, `"Mon, 01 Jan 0001 00:00:00 GMT"`)), gone, time.Time{}, 30 * time.Second},
		"a restart at no time":               {eventList(odd(reboot, time0, `{}`)), restarted, time.Time{}, 30 * time.Second},
		"a restart at no time hides nothing": {eventList(odd(reboot, time0, `{}`), later), gone, time.Time{}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			configure(t)
			s := newSimulatedAzure(t)
			s.set(events, c.body)
			w := start(t, Azure)
			select {
			case <-w.done:
			case <-time.After(limit):
				t.Fatalf("no notice; logged:\n%s", w.String())
			}
			if n := w.notice; w.err != nil || n.Reason != c.reason || c.left != 0 && (n.Left != c.left || !n.At.IsZero()) || !c.at.IsZero() && !n.At.Equal(c.at) {
				t.Errorf("got %+v and %v", n, w.err)
			}
		})
	}
}

// testAcknowledge: only an event that waits for this machine alone may begin earlier.
func testAcknowledge(t *testing.T) {
	const before = "Mon, 19 Sep 2016 18:29:47 GMT"
	for name, c := range map[string]struct {
		body string
		want []string
	}{
		"terminate":        {eventList(event("Terminate", before, "worker_1")), []string{`{"StartRequests":[{"EventId":"f020ba2e-3bc0-4c40-a10b-86575a9eabd5"}]}`}},
		"preempt":          {eventList(event("Preempt", before, "WORKER_1")), []string{`{"StartRequests":[{"EventId":"f020ba2e-3bc0-4c40-a10b-86575a9eabd5"}]}`}},
		"begun":            {eventList(event("Terminate", "", "worker_1")), nil},
		"with others":      {eventList(event("Terminate", before, "worker_0", "worker_1")), nil},
		"of another":       {eventList(event("Terminate", before, "worker_0")), nil},
		"restart":          {eventList(event("Reboot", before, "worker_1")), nil},
		"freeze":           {eventList(event("Freeze", before, "worker_1")), nil},
		"nothing any more": {eventList(), nil},
	} {
		t.Run(name, func(t *testing.T) {
			configure(t)
			s := newSimulatedAzure(t)
			s.set(events, c.body)
			if err := Acknowledge(t.Context()); err != nil {
				t.Error(err)
			}
			if got := s.posts(); !slices.Equal(got, c.want) {
				t.Errorf("sent %q, want %q", got, c.want)
			}
		})
	}
	t.Run("refused", func(t *testing.T) {
		configure(t)
		s := newSimulatedAzure(t)
		s.set(events, eventList(event("Terminate", before, "worker_1")))
		s.spoil(events, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				http.Error(w, "", http.StatusTooManyRequests)
				return
			}
			io.WriteString(w, eventList(event("Terminate", before, "worker_1")))
		})
		if err := Acknowledge(t.Context()); err == nil || !strings.Contains(err.Error(), "unexpected status 429") {
			t.Errorf("got %v", err)
		}
	})
}

// testAWSHops: the answer with the token is lost on its way into a container. Version 1 answers where it may, and what is said
// without is why there is nothing.
func testAWSHops(t *testing.T) {
	configure(t)
	s := newSimulatedAWS(t)
	s.spoil("/latest/api/token", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	if notice, err := Now(t.Context(), AWS); !errors.Is(err, ErrClosed) || !strings.Contains(err.Error(), "hop limit of 2") {
		t.Errorf("%+v, %v", notice, err)
	}
	s.mu.Lock()
	s.optional = true
	s.mu.Unlock()
	s.set(lifecycle, "Warmed:Running")
	if notice, err := Now(t.Context(), AWS); err != nil || notice.Kind != Waits {
		t.Errorf("%+v, %v", notice, err)
	}
}
