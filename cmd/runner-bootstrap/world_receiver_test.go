package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/runner-bootstrap/runner-bootstrap/internal/health"
)

// receiver is who gets the events of a script.
type receiver struct {
	web    *httptest.Server
	mu     sync.Mutex
	events []string
}

// receiverCommand: receiver start, which sets $RECEIVER; receiver events, which
// prints their types and whether each was signed with "s3cr3t".
func receiverCommand(ts *testscript.TestScript, _ bool, args []string) {
	w := theWorld(ts)
	switch args[0] {
	case "start":
		r := &receiver{}
		r.web = httptest.NewServer(r)
		ts.Defer(r.web.Close)
		ts.Setenv("RECEIVER", r.web.URL)
		w.receiver = r
	case "events":
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, event := range w.events {
			fmt.Fprintln(ts.Stdout(), event)
		}
	}
}

func (r *receiver) ServeHTTP(_ http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	var event health.Event
	if err == nil {
		err = json.Unmarshal(body, &event)
	}
	said := "signed"
	if verified := health.Verify("s3cr3t", request.Header, body, time.Now()); verified != nil {
		said = "unsigned"
	}
	if err != nil || request.URL.RawQuery != "key=of-ours" || event.Runner != "web-1" || !strings.HasSuffix(event.Scope, "/octo-org") {
		said = fmt.Sprintf("wrong: %v %s %s", err, request.URL, body)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, event.Type+" "+said)
}
