package health

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestDeliveryHasTheDocumentedForm(t *testing.T) {
	t.Parallel()
	const secret = "sesame"
	w, r, log := overHTTP(t, WebhookConfig{URL: "/in?key=hidden", Secret: plainText(secret), UserAgent: "runner-bootstrap/9"}, ok)
	code := 3
	happened := time.Date(2026, 5, 4, 12, 0, 0, 0, time.FixedZone("", 7200))
	before := time.Now().Unix()
	w.Send(Event{
		Time: happened, Type: EventFailing, Runner: "r1", Scope: "octo/hello", RunnerID: 7, Host: "h", Version: "2.330.0",
		Job: "build", Reason: "gone", ExitCode: &code,
	})
	code = 4 // what is queued is not the caller's any more
	w.Send(Event{Type: EventIdle})
	finish(t, w)
	got := r.all(t)
	if len(got) != 2 {
		t.Fatalf("%d deliveries, log:\n%s", len(got), log)
	}
	d := got[0]
	if d.method != "POST" || d.target != "/in?key=hidden" {
		t.Errorf("%s %s", d.method, d.target)
	}
	var fields map[string]any
	if err := json.Unmarshal(d.body, &fields); err != nil {
		t.Fatal(err)
	}
	id, _ := fields["id"].(string)
	if !validID.MatchString(id) || id[14] != '4' || !strings.ContainsRune("89ab", rune(id[19])) {
		t.Errorf("ID %q is no random UUID", id)
	}
	delete(fields, "id")
	text, _ := json.Marshal(fields)
	want := `{"exit_code":3,"host":"h","job":"build","reason":"gone","runner":"r1","runner_id":7,` +
		`"schema":1,"scope":"octo/hello","sequence":1,"time":"2026-05-04T10:00:00Z","type":"failing","version":"2.330.0"}`
	if string(text) != want {
		t.Errorf("body\n%s, want\n%s", text, want)
	}
	for name, value := range map[string]string{
		"Content-Type": "application/json", "User-Agent": "runner-bootstrap/9",
		"X-Runner-Bootstrap-Event": "failing", "X-Runner-Bootstrap-Delivery": id,
	} {
		if d.header.Get(name) != value {
			t.Errorf("%s: %q, want %q", name, d.header.Get(name), value)
		}
	}
	stamp := d.header.Get("X-Runner-Bootstrap-Timestamp")
	if sent, err := strconv.ParseInt(stamp, 10, 64); err != nil || sent < before || sent > time.Now().Unix() {
		t.Errorf("timestamp %q, %v", stamp, err)
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(stamp + "." + string(d.body)))
	if signature := "sha256=" + hex.EncodeToString(mac.Sum(nil)); d.header.Get("X-Runner-Bootstrap-Signature-256") != signature {
		t.Errorf("signature %q, want %q", d.header.Get("X-Runner-Bootstrap-Signature-256"), signature)
	}
	if err := verify(secret, d.header, d.body, time.Now()); err != nil {
		t.Errorf("Verify: %v", err)
	}
	second := got[1].event
	if second.ID == id || second.Sequence != 2 || second.Time.Location() != time.UTC || time.Since(second.Time) > time.Minute {
		t.Errorf("the second event was filled as %+v", second)
	}
	if strings.Contains(string(got[1].body), "runner_id") || strings.Contains(string(got[1].body), `"job"`) ||
		!strings.Contains(string(got[1].body), `"exit_code":null`) {
		t.Errorf("the second body is %s", got[1].body)
	}
	if log.String() != "" {
		t.Errorf("success is worth no line:\n%s", log)
	}
}

func TestWithoutASecretThereIsNoSignature(t *testing.T) {
	t.Parallel()
	w, r, _ := overHTTP(t, WebhookConfig{}, ok)
	w.Send(Event{Type: EventIdle})
	finish(t, w)
	got := r.all(t)
	if len(got) != 1 || got[0].header.Values(headerSignature) != nil || got[0].header.Get(headerTimestamp) == "" {
		t.Errorf("%+v", got)
	}
}

func TestGivenIDAndSequenceAreKept(t *testing.T) {
	t.Parallel()
	const id = "0b4a8d5e-1c4f-4a55-9a3e-3f2b8c7d6e5f"
	w, r, _ := overHTTP(t, WebhookConfig{}, ok)
	w.Send(Event{Type: EventIdle, ID: id, Sequence: 41})
	w.Send(Event{Type: EventBusy, ID: "no\r\nuuid"})
	w.Send(Event{Type: "odd\r\ntype"})
	finish(t, w)
	got := r.all(t)
	if len(got) != 2 || got[0].event.ID != id || got[0].event.Sequence != 41 || got[1].event.Sequence != 42 || !validID.MatchString(got[1].event.ID) {
		t.Errorf("%+v", got)
	}
}

func TestOrderIsKeptWhateverFails(t *testing.T) {
	t.Parallel()
	w, r, log := overHTTP(t, WebhookConfig{}, func(n int, w http.ResponseWriter, _ *http.Request) {
		switch n {
		case 0:
			w.WriteHeader(http.StatusServiceUnavailable)
		case 2:
			cut(w)
		}
	})
	for _, name := range []string{"a", "b", "c"} {
		w.Send(Event{Type: EventIdle, Reason: name})
	}
	finish(t, w)
	if got, want := r.reasons(t), []string{"a", "a", "b", "b", "c"}; !slices.Equal(got, want) {
		t.Fatalf("tried %v, want %v\n%s", got, want, log)
	}
	all := r.all(t)
	if all[0].event.ID != all[1].event.ID || all[2].event.ID != all[3].event.ID {
		t.Error("a try that is repeated has the ID of the first")
	}
	if lines := log.warnings("trying again"); len(lines) != 2 ||
		!strings.Contains(lines[0], "status 503") || !strings.Contains(lines[1], "the connection was cut") {
		t.Errorf("warnings: %q", lines)
	}
}

func TestManySendersAreDeliveredInSequence(t *testing.T) {
	t.Parallel()
	w, r, log := overHTTP(t, WebhookConfig{}, ok)
	var senders sync.WaitGroup
	for range 8 {
		senders.Go(func() {
			for range 10 {
				w.Send(Event{Type: EventBusy})
			}
		})
	}
	senders.Wait()
	finish(t, w)
	got := r.all(t)
	if len(got) != 80 {
		t.Fatalf("%d of 80 delivered\n%s", len(got), log)
	}
	for i, d := range got {
		if d.event.Sequence != int64(i+1) {
			t.Fatalf("number %d is delivered as the %dth", d.event.Sequence, i+1)
		}
	}
}

func TestOnlyTrustedReceiversOverTLS(t *testing.T) {
	t.Parallel()
	r, log := newReceiver(ok), new(logbook)
	server := httptest.NewUnstartedServer(r)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // we refuse it on purpose
	server.StartTLS()
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	w, err := NewWebhook(WebhookConfig{URL: server.URL, Roots: roots})
	if err != nil {
		t.Fatal(err)
	}
	w.Send(Event{Type: EventIdle, Reason: "trusted"})
	finish(t, w)
	w, err = NewWebhook(WebhookConfig{URL: server.URL, Roots: x509.NewCertPool(), Log: log.logger()})
	if err != nil {
		t.Fatal(err)
	}
	w.Send(Event{Type: EventIdle, Reason: "untrusted"})
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if err := w.Close(ctx); !errors.Is(err, errUndelivered) {
		t.Errorf("Close: %v", err)
	}
	if got := r.reasons(t); !slices.Equal(got, []string{"trusted"}) {
		t.Errorf("delivered: %v", got)
	}
	if len(log.warnings("certificate")) != 1 {
		t.Errorf("the log does not say why:\n%s", log)
	}
}

// The receiver answers with what it was sent, as an echo service does: then the
// text of net/http's error holds the URL.
func TestNothingSecretIsLogged(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	echoed, ended := make(chan struct{}, 100), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			line, _ := bufio.NewReader(conn).ReadString('\n')
			_, _ = conn.Write([]byte(line))
			echoed <- struct{}{}
			_ = conn.Close()
		}
	}()
	log := new(logbook)
	w, err := NewWebhook(WebhookConfig{
		URL: "http://" + listener.Addr().String() + "/hidden-path?key=hidden-query", Secret: plainText("hidden-secret"), Log: log.logger(),
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Send(Event{Type: EventIdle})
	<-echoed
	<-echoed // the first try has been logged
	closeNow(w)
	_ = listener.Close()
	<-ended
	if len(log.warnings(`"host":"`+listener.Addr().String()+`"`)) == 0 || len(log.warnings("no valid answer")) == 0 {
		t.Errorf("the log does not say what failed:\n%s", log)
	}
	if strings.Contains(log.String(), "hidden") {
		t.Errorf("the log holds a secret:\n%s", log)
	}
}

func TestCloseIsBoundedByItsContext(t *testing.T) {
	t.Parallel()
	w, r, log := overHTTP(t, WebhookConfig{}, hang)
	w.Send(Event{Type: EventBusy})
	w.Send(Event{Type: EventIdle})
	<-r.came
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begin := time.Now()
	err := w.Close(ctx)
	if !errors.Is(err, errUndelivered) || !strings.Contains(err.Error(), "2") {
		t.Errorf("Close: %v, want two events undelivered", err)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("Close took %v", took)
	}
	if again := w.Close(t.Context()); again == nil || again.Error() != err.Error() {
		t.Errorf("Close, repeated: %v", again)
	}
	if log.String() != "" {
		t.Errorf("that we hang up is no failure of the receiver:\n%s", log)
	}
}

func TestAfterCloseEventsAreDroppedWithAWarning(t *testing.T) {
	t.Parallel()
	w, r, log := overHTTP(t, WebhookConfig{}, ok)
	finish(t, w)
	w.Send(Event{Type: EventIdle})
	finish(t, w)
	if len(r.all(t)) != 0 || len(log.warnings("the webhook is closed")) != 1 {
		t.Errorf("%d delivered, log:\n%s", len(r.all(t)), log)
	}
}

func TestWhereAWebhookMayLead(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		url  string
		good bool
	}{
		{"https://hooks.example.com/x?key=1", true},
		{"HTTPS://HOOKS.example.com", true},
		{"http://127.0.0.1:8080/x", true},
		{"http://[::1]/x", true},
		{"http://localhost/x", true},
		{"http://hooks.example.com/hidden", false},
		{"http://127.0.0.1.example.com/hidden", false},
		{"http://10.0.0.1/hidden", false},
		{"https://user@hooks.example.com/hidden", false},
		{"https://user:hidden@hooks.example.com/", false},
		{"https:///hidden", false},
		{"https://:443/hidden", false},
		{"ftp://hooks.example.com/hidden", false},
		{"hooks.example.com/hidden", false},
		{"https://hooks.example.com/%zz?hidden", false},
		{"https://hooks.example.com/x#hidden", false},
		{"", false},
	} {
		w, err := NewWebhook(WebhookConfig{URL: c.url})
		switch {
		case c.good && err != nil:
			t.Errorf("%q: %v", c.url, err)
		case !c.good && !errors.Is(err, ErrWebhook):
			t.Errorf("%q: err = %v, want ErrWebhook", c.url, err)
		case err != nil && strings.Contains(err.Error(), "hidden"):
			t.Errorf("%q: the error repeats what may be secret: %v", c.url, err)
		}
		if w != nil {
			closeNow(w)
		}
	}
	if _, err := NewWebhook(WebhookConfig{URL: "https://hooks.example.com", Secret: plainText("")}); !errors.Is(err, ErrWebhook) {
		t.Errorf("an empty secret: %v", err)
	}
}

func TestTheOldestOfTheSameTypeGivesWay(t *testing.T) {
	t.Parallel()
	var free bool // nobody asks before the queue is full
	bubble(t, func(n int, w http.ResponseWriter, r *http.Request) {
		if n == 0 {
			hang(n, w, r)
		}
	}, func(t *testing.T, w *Webhook, r *receiver, log *logbook) {
		send := func(kind string, number int) { w.Send(Event{Type: kind, Reason: kind + strconv.Itoa(number)}) }
		begin := time.Now()
		send(EventInstalling, 0)
		synctest.Wait() // it is being delivered, and counts for the queue no more
		send(EventRegistered, 0)
		for i := range 99 {
			send([]string{EventIdle, EventBusy}[i%2], i)
		}
		if log.String() != "" {
			t.Fatalf("a hundred fit:\n%s", log)
		}
		send(EventBusy, 99)   // busy1 gives way
		send(EventBusy, 100)  // busy3
		send(EventDrained, 0) // no other: registered0
		free = time.Now().Equal(begin)
		if lines := log.warnings("too many are waiting"); len(lines) != 1 || !strings.Contains(lines[0], `"event":"busy"`) {
			t.Errorf("warnings: %q", lines)
		}
		finish(t, w)
		want := []string{"installing0", "installing0"}
		for i := range 99 {
			if i != 1 && i != 3 {
				want = append(want, []string{EventIdle, EventBusy}[i%2]+strconv.Itoa(i))
			}
		}
		want = append(want, "busy99", "busy100", "drained0")
		if got := r.reasons(t); !slices.Equal(got, want) {
			t.Errorf("delivered\n%v, want\n%v", got, want)
		}
	})
	if !free {
		t.Error("Send has waited")
	}
}

func TestEveryTimeTheQueueOverflowsIsSaidOnce(t *testing.T) {
	t.Parallel()
	bubble(t, hang, func(t *testing.T, w *Webhook, _ *receiver, log *logbook) {
		for range 300 {
			w.Send(Event{Type: EventIdle})
			synctest.Wait()
		}
		if lines := log.warnings("too many are waiting"); len(lines) != 1 {
			t.Errorf("%d warnings: %q", len(lines), lines)
		}
		time.Sleep(giveUp + tryTimeout + time.Second) // the first event is given up, the next one is taken
		for range 2 {
			w.Send(Event{Type: EventIdle})
		}
		if lines := log.warnings("too many are waiting"); len(lines) != 2 {
			t.Errorf("%d warnings: %q", len(lines), lines)
		}
	})
}
