package transport

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

// A host that is refused alone comes back when it was told to; those of a herd, of which the answers before tell, stay away
// for longer.
func TestWhoIsRefusedAlone(t *testing.T) {
	t.Parallel()
	const minute = "60"
	for name, c := range map[string]struct {
		used   []int         // requests of this hour, as each answer has it; the last one is refused
		pace   time.Duration // between two of ours
		header map[string]string
		asked  time.Duration
		herd   bool
	}{
		"nothing is known of others":       {header: map[string]string{"Retry-After": minute}, asked: time.Minute},
		"the first of this hour":           {used: []int{1}, header: map[string]string{"Retry-After": minute}, asked: time.Minute},
		"ours alone":                       {used: []int{7, 8, 9}, pace: time.Second, header: map[string]string{"Retry-After": minute}, asked: time.Minute},
		"many of ours":                     {used: []int{1, 2, 3, 4, 5, 6, 7, 8}, pace: time.Millisecond, header: map[string]string{"Retry-After": minute}, asked: time.Minute},
		"a limit told in words":            {used: []int{1, 2}, pace: time.Second, asked: time.Minute},
		"somebody works with it as well":   {used: []int{100, 103, 110}, pace: 30 * time.Second, header: map[string]string{"Retry-After": minute}, asked: time.Minute},
		"others long ago":                  {used: []int{100, 900, 901}, pace: 10 * time.Minute, header: map[string]string{"Retry-After": minute}, asked: time.Minute},
		"a count that goes back":           {used: []int{100, 90, 80}, pace: time.Second, header: map[string]string{"Retry-After": minute}, asked: time.Minute},
		"the hour, by ourselves":           {used: []int{4999, 5000}, pace: time.Second, header: map[string]string{"X-RateLimit-Remaining": "0"}, asked: 0},
		"a herd":                           {used: []int{100, 112, 130}, pace: 100 * time.Millisecond, header: map[string]string{"Retry-After": minute}, asked: time.Minute, herd: true},
		"a herd, told in words":            {used: []int{100, 112}, pace: 100 * time.Millisecond, asked: time.Minute, herd: true},
		"a herd that begins with the hour": {used: []int{300}, header: map[string]string{"Retry-After": minute, "X-RateLimit-Reset": "+3590"}, asked: time.Minute, herd: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				now := time.Now()
				header := map[string]string{"X-RateLimit-Limit": "5000", "X-RateLimit-Resource": "core", "X-RateLimit-Reset": strconv.FormatInt(now.Add(30*time.Minute).Unix(), 10)}
				s := &script{}
				for i, used := range c.used {
					answer := answer{status: 200, header: map[string]string{"X-RateLimit-Used": fmt.Sprint(used)}}
					for name, value := range header {
						answer.header[name] = value
					}
					if i == len(c.used)-1 {
						answer.status = http.StatusForbidden
					}
					s.answers = append(s.answers, answer)
				}
				if len(c.used) == 0 {
					s.answers = []answer{{status: http.StatusForbidden, header: map[string]string{}}}
				}
				last := &s.answers[len(s.answers)-1]
				for name, value := range c.header {
					if value == "+3590" {
						value = strconv.FormatInt(now.Add(3590*time.Second).Unix(), 10)
					}
					last.header[name] = value
				}
				if c.header == nil {
					last.body = `{"message":"You have exceeded a secondary rate limit."}`
				}
				s.answers = append(s.answers, answer{status: 200})
				client := NewAPI(Config{UserAgent: "test"})
				client.retry.HTTPClient.Transport = agent{name: "test", proxy: http.ProxyFromEnvironment, next: s, others: client.company}
				for range max(len(c.used), 1) {
					resp, err := client.Do(request(t.Context(), t, "GET", ""))
					if err != nil || resp.StatusCode != http.StatusOK {
						t.Fatalf("%v, %v", resp, err)
					}
					time.Sleep(c.pace)
				}
				refused := &http.Response{Header: http.Header{}, Request: request(t.Context(), t, "GET", "")}
				for name, value := range last.header {
					refused.Header.Set(name, value)
				}
				if herd := client.company.refusesMany(refused, 0); herd != c.herd {
					t.Errorf("refused with many others: %t, want %t", herd, c.herd)
				}
				asked := c.asked
				if asked == 0 { // until the hour ends
					asked = now.Add(30*time.Minute).Sub(s.at[len(s.at)-2]) + time.Second
				}
				waited := s.at[len(s.at)-1].Sub(s.at[len(s.at)-2])
				most := asked + asked/alone
				if c.herd {
					most = asked + mostSpread
				}
				if waited < asked.Truncate(time.Second) || waited >= most {
					t.Errorf("it was told to wait for %v, and waited for %v, of %v", asked, waited, most)
				}
			})
		})
	}
}

// Those of a herd come back apart, and not all within what one alone would add.
func TestHerdIsSpread(t *testing.T) {
	t.Parallel()
	var late int
	for range 200 {
		if stayAway(t.Context(), time.Minute, 0, true) > time.Minute/alone {
			late++
		}
		if wait := stayAway(t.Context(), time.Minute, 5, false); wait >= time.Minute/alone {
			t.Fatalf("alone it waits for %v more", wait)
		}
	}
	if late < 150 {
		t.Errorf("%d of 200 hosts came back later than one alone", late)
	}
	if wait := stayAway(t.Context(), 0, 0, false); wait >= time.Second/alone {
		t.Errorf("asked for nothing it waits for %v", wait)
	}
}

// What is remembered has a bound.
func TestCompanyForgets(t *testing.T) {
	t.Parallel()
	c := &company{}
	for i := range 10 * maxWindows {
		req := request(t.Context(), t, "GET", "")
		header := http.Header{"X-Ratelimit-Used": {"1"}, "X-Ratelimit-Reset": {fmt.Sprint(i)}}
		c.note(&http.Response{Header: header, Request: req}, time.Now())
	}
	if len(c.seen) > maxWindows {
		t.Errorf("%d are remembered", len(c.seen))
	}
}
