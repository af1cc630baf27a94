package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
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
	if !signedWith("s3cr3t", request.Header, body) {
		said = "unsigned"
	}
	if err != nil || request.URL.RawQuery != "key=of-ours" || event.Runner != "web-1" || !strings.HasSuffix(event.Scope, "/octo-org") {
		said = fmt.Sprintf("wrong: %v %s %s", err, request.URL, body)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, event.Type+" "+said)
}

// signedWith does what the documentation tells receivers to do, without a word of ours.
func signedWith(secret string, header http.Header, body []byte) bool {
	stamp := header.Get("X-Runner-Bootstrap-Timestamp")
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(stamp + "."))
	mac.Write(body)
	sent, err := strconv.ParseInt(stamp, 10, 64)
	return err == nil && time.Since(time.Unix(sent, 0)).Abs() < 5*time.Minute &&
		header.Get("X-Runner-Bootstrap-Signature-256") == "sha256="+hex.EncodeToString(mac.Sum(nil))
}
