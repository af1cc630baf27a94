package health

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestAnEventIsTriedForAnHour(t *testing.T) {
	t.Parallel()
	bubble(t, always(http.StatusServiceUnavailable), func(t *testing.T, w *Webhook, r *receiver, log *logbook) {
		begin := time.Now()
		w.Send(Event{Type: EventIdle, Reason: "first"})
		w.Send(Event{Type: EventBusy, Reason: "second"})
		time.Sleep(giveUp - time.Nanosecond)
		synctest.Wait()
		got := r.all(t)
		if len(log.warnings("for an hour")) != 0 || got[len(got)-1].event.Reason != "first" {
			t.Errorf("given up before an hour:\n%s", log)
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if len(log.warnings("for an hour")) != 1 || len(log.warnings("trying again")) != 2 {
			t.Errorf("the log after an hour:\n%s", log)
		}
		if next := r.all(t); len(next) != len(got)+1 || next[len(got)].event.Reason != "second" || next[len(got)].at.Sub(begin) != giveUp {
			t.Errorf("after the first event was given up: %+v", next[len(got):])
		}
		random := false
		for n := 1; n < len(got); n++ {
			gap, least := got[n].at.Sub(got[n-1].at), min(150*time.Second, time.Second<<(n-1))
			if gap < least || gap >= 2*least {
				t.Errorf("wait %d took %v, want %v to %v", n, gap, least, 2*least)
			}
			random = random || gap%time.Second != 0
		}
		if !random {
			t.Error("hosts that failed together come back together")
		}
		// 1+2+...+128 s doubled is 510 s at most, and the rest in waits of five minutes at most.
		if len(got) < 8+10 || len(got) > 35 {
			t.Errorf("%d tries in an hour", len(got))
		}
	})
}

func TestEachTryHasTenSeconds(t *testing.T) {
	t.Parallel()
	bubble(t, hang, func(t *testing.T, w *Webhook, r *receiver, log *logbook) {
		w.Send(Event{Type: EventIdle})
		time.Sleep(11*time.Second - time.Nanosecond)
		synctest.Wait()
		if n := len(r.all(t)); n != 1 {
			t.Errorf("%d tries in 11 seconds", n)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if n := len(r.all(t)); n != 2 {
			t.Errorf("%d tries in 12 seconds", n)
		}
		if len(log.warnings("no answer in time")) != 1 {
			t.Errorf("the log:\n%s", log)
		}
	})
}

func TestTheTimestampIsThatOfTheTry(t *testing.T) {
	t.Parallel()
	bubble(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n == 0 {
			w.Header().Set("Retry-After", "600")
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}, func(t *testing.T, w *Webhook, r *receiver, _ *logbook) {
		w.secret = plainText("sesame")
		w.Send(Event{Type: EventIdle})
		finishAfter(t, w, time.Hour)
		for n, d := range r.all(t) {
			if err := verify("sesame", d.header, d.body, d.at); err != nil {
				t.Errorf("try %d: %v", n, err)
			}
		}
	})
}

func finishAfter(t *testing.T, w *Webhook, most time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), most)
	defer cancel()
	if err := w.Close(ctx); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func TestTheReceiverSaysWhenToComeBack(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status      int
		header      func() string
		least, most time.Duration // most 0: exactly least
		given       bool
	}{
		"seconds":           {503, func() string { return "700" }, 700 * time.Second, 0, false},
		"fewer than ours":   {429, func() string { return "1" }, time.Second, 0, false},
		"a date":            {503, func() string { return time.Now().Add(20 * time.Minute).UTC().Format(http.TimeFormat) }, 20 * time.Minute, 0, false},
		"a date tomorrow":   {503, func() string { return time.Now().Add(24 * time.Hour).UTC().Format(http.TimeFormat) }, time.Hour, 0, true},
		"at once":           {503, func() string { return "0" }, time.Second, 2 * time.Second, false},
		"a date that past":  {408, func() string { return time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat) }, time.Second, 2 * time.Second, false},
		"no number":         {503, func() string { return "soon" }, time.Second, 2 * time.Second, false},
		"negative":          {503, func() string { return "-5" }, time.Second, 2 * time.Second, false},
		"longer than we do": {503, func() string { return "86400" }, time.Hour, 0, true},
		"beyond all":        {503, func() string { return "9223372036854775807" }, time.Hour, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(n int, w http.ResponseWriter, _ *http.Request) {
				if n == 0 {
					w.Header().Set("Retry-After", c.header())
					w.WriteHeader(c.status)
				}
			}, func(t *testing.T, w *Webhook, r *receiver, log *logbook) {
				w.Send(Event{Type: EventIdle, Reason: "a"})
				w.Send(Event{Type: EventIdle, Reason: "b"})
				time.Sleep(giveUp + time.Second)
				synctest.Wait()
				want := []string{"a", "a", "b"}
				if c.given {
					want = []string{"a", "b"}
				}
				got := r.all(t)
				if !slices.Equal(r.reasons(t), want) {
					t.Fatalf("tried %v, want %v\n%s", r.reasons(t), want, log)
				}
				if gap := got[1].at.Sub(got[0].at); gap < c.least || gap > max(c.least, c.most) {
					t.Errorf("came back after %v, want %v to %v", gap, c.least, max(c.least, c.most))
				}
			})
		})
	}
}

func TestPassingRefusalsAreTriedAgain(t *testing.T) {
	t.Parallel()
	again := []int{408, 429, 500, 501, 502, 503, 504, 599}
	once := []int{200, 201, 202, 204, 299, 300, 301, 302, 307, 308, 400, 401, 403, 404, 410, 418, 422}
	for _, status := range slices.Concat(again, once) {
		tries := 1
		if slices.Contains(again, status) {
			tries = 2
		}
		bubble(t, func(n int, w http.ResponseWriter, r *http.Request) {
			if n == 0 {
				w.Header().Set("Location", "http://"+r.Host+"/elsewhere?hidden")
				w.WriteHeader(status)
			}
		}, func(t *testing.T, w *Webhook, r *receiver, log *logbook) {
			w.Send(Event{Type: EventIdle, Reason: "a"})
			w.Send(Event{Type: EventIdle, Reason: "b"})
			time.Sleep(3 * time.Second)
			synctest.Wait()
			want := append(slices.Repeat([]string{"a"}, tries), "b")
			if got := r.reasons(t); !slices.Equal(got, want) {
				t.Errorf("%d: tried %v, want %v", status, got, want)
			}
			for _, d := range r.all(t) {
				if d.target != "/hook" {
					t.Errorf("%d: went to %s", status, d.target)
				}
			}
			refused := 0
			if tries == 1 && status >= 300 {
				refused = 1
			}
			if n := len(log.warnings("refuses")); n != refused {
				t.Errorf("%d: %d warnings of a drop, want %d:\n%s", status, n, refused, log)
			}
			if strings.Contains(log.String(), "hidden") {
				t.Errorf("%d: the log holds a query:\n%s", status, log)
			}
		})
	}
}

// waitFor lets the fake clock run until so many requests have come.
func waitFor(t *testing.T, r *receiver, requests int) {
	t.Helper()
	for range int(giveUp / time.Second) {
		if len(r.all(t)) >= requests {
			return
		}
		time.Sleep(time.Second)
	}
	t.Fatalf("%d requests in an hour, want %d", len(r.all(t)), requests)
}

func TestCloseCutsOurOwnPausesShort(t *testing.T) {
	t.Parallel()
	bubble(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n < 12 || n == 13 {
			w.WriteHeader(http.StatusBadGateway)
		}
	}, func(t *testing.T, w *Webhook, r *receiver, log *logbook) {
		w.Send(Event{Type: EventIdle, Reason: "a"})
		w.Send(Event{Type: EventIdle, Reason: "b"})
		waitFor(t, r, 12)
		begin := time.Now()
		finishAfter(t, w, 10*time.Second)
		if got := r.reasons(t)[12:]; !slices.Equal(got, []string{"a", "b", "b"}) {
			t.Fatalf("tried %v while closing\n%s", got, log)
		}
		got := r.all(t)[12:]
		if d := got[0].at.Sub(begin); d != 0 {
			t.Errorf("the pause went on for %v", d)
		}
		if d := got[2].at.Sub(got[1].at); d < time.Second {
			t.Errorf("tried again after %v: what fails while it is being closed waits as well", d)
		}
	})
}

func TestAfterCloseTheWaitsBeginShortAgain(t *testing.T) {
	t.Parallel()
	bubble(t, always(http.StatusBadGateway), func(t *testing.T, w *Webhook, r *receiver, _ *logbook) {
		w.Send(Event{Type: EventIdle})
		waitFor(t, r, 10)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if err := w.Close(ctx); !errors.Is(err, errUndelivered) {
			t.Errorf("Close: %v", err)
		}
		// At once, after 1 to 2 s, 2 to 4 s more, 4 to 8 s more: by 14 s all four.
		if n := len(r.all(t)) - 10; n < 4 || n > 6 {
			t.Errorf("%d tries in the last 20 seconds", n)
		}
	})
}

func TestCloseObeysTheReceiver(t *testing.T) {
	t.Parallel()
	bubble(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "60")
		w.WriteHeader(http.StatusServiceUnavailable)
	}, func(t *testing.T, w *Webhook, r *receiver, _ *logbook) {
		w.Send(Event{Type: EventIdle})
		synctest.Wait()
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 59*time.Second)
		defer cancel()
		if err := w.Close(ctx); !errors.Is(err, errUndelivered) {
			t.Errorf("Close: %v", err)
		}
		if n := len(r.all(t)); n != 1 || time.Since(begin) != 59*time.Second {
			t.Errorf("%d tries, Close took %v", n, time.Since(begin))
		}
	})
}

func TestCloseWithNothingLeftIsASuccess(t *testing.T) {
	t.Parallel()
	bubble(t, ok, func(t *testing.T, w *Webhook, _ *receiver, _ *logbook) {
		w.Send(Event{Type: EventIdle})
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := w.Close(ctx); err != nil {
			t.Errorf("Close: %v, though all was delivered", err)
		}
	})
}

// net/http goes on dialing for a request that has ended, in the hope of another.
func TestCloseLeavesNoDialBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, err := NewWebhook(WebhookConfig{URL: "http://127.0.0.1/hook"})
		if err != nil {
			t.Fatal(err)
		}
		dialing, ended := false, false
		w.wire.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			dialing = true
			<-ctx.Done()
			ended = true
			return nil, ctx.Err()
		}
		w.Send(Event{Type: EventIdle})
		synctest.Wait()
		closeNow(w)
		synctest.Wait()
		if !dialing || !ended {
			t.Fatalf("dialing: %t, and ended: %t", dialing, ended)
		}
	})
}
