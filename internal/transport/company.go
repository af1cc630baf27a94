package transport

import (
	"net/http"
	"strconv"
	"sync"
	"time"
)

// company learns from GitHub's answers whether others make requests with the same credential at this time: every answer
// says how many were made in this hour, and how many were ours is known. A host that is refused alone can come back when
// it was told to; those that were refused together would be refused together again.
type company struct {
	mu   sync.Mutex
	seen map[window]sighting
}

// window is the hour of one credential's limit, as far as answers tell it from others.
type window struct{ host, resource, limit, reset string }

// sighting is what the first of some answers said, how many requests of ours came after it, and how many of others, and in
// which time, by the latest answer.
type sighting struct {
	used, ours, theirs int64
	at                 time.Time
	within             time.Duration
}

const (
	// sightingAge is for how long what an answer said counts: what others did before that is no sign of a herd.
	sightingAge = 2 * time.Minute
	// maxWindows bounds what is remembered.
	maxWindows = 16
	// many is how many requests of others within a second make a herd, and some how many do when a request is refused
	// once more: a herd that waits makes fewer.
	many, some = 2.0, 0.1
)

// note takes in an answer to one request of ours.
func (c *company) note(resp *http.Response, now time.Time) {
	w, used, told := windowOf(resp)
	if !told {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s, known := c.seen[w]
	if !known {
		// Nothing was seen before: all of this hour counts.
		s.at = now
		if reset, err := strconv.ParseInt(w.reset, 10, 64); err == nil {
			s.at = time.Unix(reset, 0).Add(-time.Hour)
		}
	}
	s.ours++
	s.theirs, s.within = used-s.used-s.ours, now.Sub(s.at)
	if s.within >= sightingAge {
		s.used, s.ours, s.at = used, 0, now
	}
	if c.seen == nil || len(c.seen) >= maxWindows {
		c.seen = map[window]sighting{}
	}
	c.seen[w] = s
}

// refusesMany tells whether others are at work beside us who may have been refused with us, by an answer that was noted.
// Where nothing tells, a request that is refused for the first time is taken for one alone.
func (c *company) refusesMany(resp *http.Response, turn int) bool {
	w, _, told := windowOf(resp)
	if !told {
		return turn > 0
	}
	most := many
	if turn > 0 {
		most = some
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.seen[w]
	return s.theirs >= 1 && float64(s.theirs) >= most*s.within.Seconds()
}

func windowOf(resp *http.Response) (w window, used int64, told bool) {
	of := resp.Header.Get
	used, err := strconv.ParseInt(of("X-RateLimit-Used"), 10, 64)
	if err != nil || resp.Request == nil || resp.Request.URL == nil {
		return window{}, 0, false
	}
	return window{resp.Request.URL.Host, of("X-RateLimit-Resource"), of("X-RateLimit-Limit"), of("X-RateLimit-Reset")}, used, true
}
