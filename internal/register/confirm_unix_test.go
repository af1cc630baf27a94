//go:build unix

package register

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
	"github.com/runner-bootstrap/runner-bootstrap/internal/transport"
)

// client is one with a credential for the scope of w's runner.
func (w *world) client(t *testing.T) *github.Client {
	t.Helper()
	scope, err := ScopeOf(w.kept.record)
	if err != nil {
		t.Fatal(err)
	}
	return github.NewClient(transport.NewAPI(transport.Config{UserAgent: "test"}), scope, github.Static(secret.New(w.Token())))
}

// joiner joins w's runner, and tells log.
func (w *world) joiner(t *testing.T, log *bytes.Buffer) Joiner {
	t.Helper()
	w.Log = slog.New(slog.NewTextHandler(log, nil))
	return Joiner{Client: w.client(t), Store: w.kept.store, Record: w.kept.record, Room: w.Room}
}

// asked counts the questions for runners by their ids, and for labels.
func (w *world) asked() (questions int) {
	for _, r := range w.Requests() {
		if r.Method == http.MethodGet && strings.HasPrefix(r.Path, "/orgs/"+slug+"/actions/runners/") {
			questions++
		}
	}
	return questions
}

// claims has config.sh say that it has registered the runner with an id.
func (w *world) claims(t *testing.T, id int64) {
	t.Helper()
	settings := fmt.Sprintf(`{"agentId":%d,"agentName":"web-1","gitHubUrl":"%s"}`, id, w.kept.record.ScopeURL)
	w.Place = scripted(t, "echo '"+settings+"' >.runner; echo {} >.credentials", quiet()).Place
}

// GitHub has the last word on which runner has joined, in one request that tells of its labels as well.
func TestJoinIsConfirmed(t *testing.T) {
	t.Parallel()
	const one = "/orgs/" + slug + "/actions/runners/*"
	for _, c := range []struct {
		name      string
		prepare   func(t *testing.T, w *world)
		refused   string // empty: it has joined
		warns     bool
		questions int
	}{
		{"it is so", func(*testing.T, *world) {}, "", false, 1},
		{"it is not listed at once", func(_ *testing.T, w *world) {
			w.Fault(githubtest.Fault{Method: "GET", Path: one, Status: 404, Times: 2})
		}, "", false, 3},
		{"there is no such runner", func(t *testing.T, w *world) { w.claims(t, 4711) }, "it has no runner with id 4711", false, 1 + proofTries},
		{"it is another one", func(t *testing.T, w *world) {
			w.claims(t, w.AddRunner(slug, githubtest.Runner{Name: "db-1"}).ID)
		}, `is called "db-1"`, false, 1},
		{"it is of another scope", func(t *testing.T, w *world) {
			w.claims(t, w.AddRunner("other", githubtest.Runner{Name: "web-1"}).ID)
		}, "it has no runner with id", false, 1 + proofTries},
		{"there is no answer", func(_ *testing.T, w *world) {
			w.Fault(githubtest.Fault{Method: "GET", Path: one, Status: 403})
		}, "", true, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			c.prepare(t, w)
			var log bytes.Buffer
			got, err := w.joiner(t, &log).Join(t.Context())
			if errors.Is(err, ErrUnconfirmed) != (c.refused != "") || c.refused == "" && err != nil {
				t.Fatalf("%+v, %v", got, err)
			}
			if c.refused != "" && !strings.Contains(err.Error(), c.refused) {
				t.Errorf("%v does not say %q", err, c.refused)
			}
			if kept, err := w.kept.Settings(); c.refused == "" && (err != nil || kept != got || got.ID == 0) || c.refused != "" && !errors.Is(err, ErrNotConfigured) {
				t.Errorf("%+v is kept, %v", kept, err)
			}
			if got := w.asked(); got != c.questions {
				t.Errorf("GitHub was asked %d times, want %d", got, c.questions)
			}
			if warns := strings.Contains(log.String(), "could not be asked"); warns != c.warns {
				t.Errorf("it warns: %t; %s", warns, log.String())
			}
		})
	}
}

// Nothing is kept before the answer, and with a registration token alone nobody is asked.
func TestNothingIsKeptUnconfirmed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	refused := errors.New("seen")
	got, err := w.Join(t.Context(), w.kept, w.kept.record.Identity, false, secret.New(w.RegistrationToken(slug)),
		func(_ context.Context, settings Settings) error {
			if kept, err := w.kept.Settings(); !errors.Is(err, ErrNotConfigured) || settings.Name != "web-1" {
				t.Errorf("%+v is kept already, %v; told was %+v", kept, err, settings)
			}
			return refused
		})
	if !errors.Is(err, refused) || got != (Settings{}) {
		t.Errorf("%+v, %v", got, err)
	}
	if kept, err := w.kept.Settings(); !errors.Is(err, ErrNotConfigured) {
		t.Errorf("%+v is kept, %v", kept, err)
	}
	var log bytes.Buffer
	alone := w.joiner(t, &log)
	alone.Client, alone.Replace = nil, true
	token := Token{Token: github.Token{Value: secret.New(w.RegistrationToken(slug))}}
	if got, err := alone.JoinWith(t.Context(), token); err != nil || got.ID == 0 || w.asked() != 0 {
		t.Errorf("with a token alone: %+v, %v, and GitHub was asked %d times", got, err, w.asked())
	}
}

// A just-in-time configuration is of the runner that GitHub says it is of.
func TestJITConfigIsOfItsRunner(t *testing.T) {
	t.Parallel()
	for name, settings := range map[string]string{
		"another id":   `{"AgentId":"8","AgentName":"web-1"}`,
		"another name": `{"AgentId":"7","AgentName":"db-1"}`,
	} {
		w := newWorld(t)
		body, err := json.Marshal(map[string]any{
			"runner":             map[string]any{"id": 7, "name": "web-1", "os": "linux", "status": "offline", "busy": false, "labels": []any{}},
			"encoded_jit_config": encoded(t, map[string]string{".runner": settings, ".credentials": "{}"}).Reveal(),
		})
		if err != nil {
			t.Fatal(err)
		}
		w.Fault(githubtest.Fault{Method: "POST", Path: "/orgs/" + slug + "/actions/runners/generate-jitconfig", Status: 201, Body: string(body)})
		var log bytes.Buffer
		j := w.joiner(t, &log)
		j.Record.JIT = true
		if got, err := j.Join(t.Context()); !errors.Is(err, ErrUnconfirmed) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if kept, err := w.kept.Settings(); err == nil {
			t.Errorf("%s: %+v is kept", name, kept)
		}
		deleted := false
		for _, r := range w.Requests() {
			deleted = deleted || r.Method == http.MethodDelete && strings.HasSuffix(r.Path, "/actions/runners/7")
		}
		if !deleted {
			t.Errorf("%s: it stays at GitHub", name)
		}
	}
}
