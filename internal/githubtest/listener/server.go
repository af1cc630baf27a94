package main

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

// What the server says about this runner as a whole.
var (
	errGone           = errors.New("the runner does not exist on the server")
	errTooOld         = errors.New("the runner is too old")
	errInvalidSession = errors.New("the session is not valid")
)

// server is the side a registered runner talks to.
type server struct {
	p        *program
	client   *http.Client
	key      *rsa.PrivateKey
	settings settings
	creds    credentials

	mu      sync.Mutex
	token   string
	session string
	heard   time.Time
}

type message struct {
	ID   int64  `json:"messageId"`
	Type string `json:"messageType"`
	Body string `json:"body"`
}

// connect gathers what is needed to talk to the server; it sends nothing.
func (p *program) connect(s settings) (*server, error) {
	out := &server{p: p, settings: s, client: &http.Client{Timeout: requestTimeout}, heard: time.Now()}
	if err := p.load(credentialsFile, &out.creds); err != nil {
		return nil, err
	}
	var err error
	out.key, err = p.loadKey()
	return out, err
}

// login exchanges an assertion for an access token.
func (s *server) login() error {
	at := s.creds.Data.AuthorizationURL
	signed, err := assertion(s.key, s.creds.Data.ClientID, at)
	if err != nil {
		return err
	}
	var out struct {
		Token string `json:"access_token"`
	}
	_, err = s.p.send(s.client, request{
		method: http.MethodPost, url: at, out: &out,
		in: url.Values{
			"grant_type":            {"client_credentials"},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
			"client_assertion":      {signed},
		},
	})
	var refused *statusError
	if errors.As(err, &refused) && strings.Contains(refused.body, "invalid_client") {
		return errGone
	}
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token = out.Token
	return nil
}

// ask sends a request as this runner, and once more with a new token if the old one has had its day.
func (s *server) ask(ctx context.Context, r request) (int, error) {
	for again := range 2 {
		s.mu.Lock()
		r.auth = "Bearer " + s.token
		s.mu.Unlock()
		status, err := s.p.sendContext(ctx, s.client, r)
		if err == nil {
			s.mu.Lock()
			s.heard = time.Now()
			s.mu.Unlock()
			return status, nil
		}
		if err = asBrokerError(err); !isUnauthorized(err) || again == 1 {
			return status, err
		}
		if err := s.login(); err != nil {
			return status, err
		}
	}
	return 0, errInvalidSession
}

func isUnauthorized(err error) bool {
	var refused *statusError
	return errors.As(err, &refused) && refused.status == http.StatusUnauthorized
}

// asBrokerError picks out the errors that concern the runner as a whole.
func asBrokerError(err error) error {
	var refused *statusError
	if !errors.As(err, &refused) {
		return err
	}
	var body struct {
		Kind string `json:"errorKind"`
	}
	if json.Unmarshal([]byte(refused.body), &body) != nil {
		return err
	}
	switch body.Kind {
	case "RunnerNotFound":
		return errGone
	case "RunnerVersionTooOld":
		return errTooOld
	case "RunnerSessionInvalid":
		return errInvalidSession
	}
	return err
}

func (s *server) broker(suffix string) string {
	return strings.TrimSuffix(string(s.settings.ServerURLV2), "/") + "/" + suffix
}

// open starts a session.
func (s *server) open() error {
	if err := s.login(); err != nil {
		return err
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	id, err := strconv.ParseInt(string(s.settings.AgentID), 10, 64)
	if err != nil {
		return err
	}
	var out struct {
		SessionID string `json:"sessionId"`
	}
	_, err = s.ask(context.Background(), request{
		method: http.MethodPost, url: s.broker("session"), out: &out,
		in: map[string]any{
			"sessionId": "00000000-0000-0000-0000-000000000000",
			"ownerName": host + " (PID: " + strconv.Itoa(os.Getpid()) + ")", "useFipsEncryption": false,
			"agent": map[string]any{
				"id": id, "name": string(s.settings.AgentName), "version": s.p.version, "osDescription": runtime.GOOS,
			},
		},
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.session = out.SessionID
	return err
}

// close ends the session. A server that is gone, or has ended it already, is as good.
func (s *server) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_, _ = s.ask(ctx, request{method: http.MethodDelete, url: s.broker("session")})
}

// poll waits for a message. got says whether there was one.
func (s *server) poll(ctx context.Context, busy bool) (m message, got bool, err error) {
	status := "Online"
	if busy {
		status = "Busy"
	}
	s.mu.Lock()
	session := s.session
	s.mu.Unlock()
	query := url.Values{
		"sessionId": {session}, "status": {status}, "runnerVersion": {s.p.version}, "os": {systemLabel()},
		"architecture": {archLabel()}, "disableUpdate": {"false"},
	}
	code, err := s.ask(ctx, request{
		method: http.MethodGet, url: s.broker("message") + "?" + query.Encode(), out: &m,
	})
	return m, err == nil && code == http.StatusOK, err
}

func (s *server) silentFor() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Since(s.heard)
}
