package metadata

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// simulator is the metadata service of one cloud, with what all of them have: a
// record of what was asked, what stands at each path, and a way to spoil it.
type simulator struct {
	mu      sync.Mutex
	asked   map[string]int    // by path
	values  map[string]string // by path; what is not there is 404
	spoiled map[string]http.HandlerFunc
	changed chan struct{} // closed when values change
	open    int           // connections
	posted  []string
}

func newSimulator() *simulator {
	return &simulator{
		asked: map[string]int{}, values: map[string]string{}, spoiled: map[string]http.HandlerFunc{},
		changed: make(chan struct{}),
	}
}

// serve lets a cloud answer at the address until the test ends.
func (s *simulator) serve(t *testing.T, cloud http.HandlerFunc) {
	t.Helper()
	listener, err := net.Listen("tcp4", "169.254.169.254:80")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked[r.URL.Path]++
		spoiled := s.spoiled[r.URL.Path]
		s.mu.Unlock()
		if spoiled != nil {
			spoiled(w, r)
			return
		}
		cloud(w, r)
	}))
	server.Listener.Close()
	server.Listener = listener
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		s.mu.Lock()
		defer s.mu.Unlock()
		switch state {
		case http.StateNew:
			s.open++
		case http.StateClosed, http.StateHijacked:
			s.open--
		case http.StateActive, http.StateIdle:
		}
	}
	server.Start()
	t.Cleanup(server.Close)
}

// set changes what stands at a path, and says how often it was asked before.
func (s *simulator) set(path, value string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values[path] = value
	close(s.changed)
	s.changed = make(chan struct{})
	return s.asked[path]
}

// spoil replaces the answer for a path; nil takes that back.
func (s *simulator) spoil(path string, answer http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spoiled[path] = answer
}

func (s *simulator) get(path string) (value string, found bool, changed chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	value, found = s.values[path]
	return value, found, s.changed
}

func (s *simulator) count(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[path]
}

func (s *simulator) connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

// limit is how long anything may take that should happen.
const limit = 10 * time.Second

// until waits for something that another goroutine brings about.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// simulatedAWS is version 2 of the service, which wants a token.
type simulatedAWS struct {
	*simulator
	optional bool   // version 1 answers as well
	life     int    // in seconds, of tokens, whatever was asked for
	valid    string // the token that is valid
	issued   int
}

func newSimulatedAWS(t *testing.T) *simulatedAWS {
	t.Helper()
	s := &simulatedAWS{simulator: newSimulator()}
	s.set(identity, identityDocument)
	s.set(ec2Type, "t2.micro")
	s.serve(t, s.handle)
	return s
}

func (s *simulatedAWS) handle(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("X-Forwarded-For") != "" {
		http.Error(w, "forwarded", http.StatusForbidden)
		return
	}
	if r.URL.Path == "/latest/api/token" {
		s.issue(w, r)
		return
	}
	if r.Method != http.MethodGet {
		http.Error(w, "method", http.StatusMethodNotAllowed)
		return
	}
	s.mu.Lock()
	token := r.Header.Get("X-Aws-Ec2-Metadata-Token")
	allowed := token != "" && token == s.valid || token == "" && s.optional
	s.mu.Unlock()
	value, found, _ := s.get(r.URL.Path)
	switch {
	case !allowed:
		http.Error(w, "Unauthorized", http.StatusUnauthorized)
	case !found:
		http.Error(w, "404 - Not Found", http.StatusNotFound)
	default:
		io.WriteString(w, value)
	}
}

func (s *simulatedAWS) issue(w http.ResponseWriter, r *http.Request) {
	seconds, err := strconv.Atoi(r.Header.Get("X-Aws-Ec2-Metadata-Token-Ttl-Seconds"))
	switch {
	case r.Method != http.MethodPut:
		http.Error(w, "method", http.StatusMethodNotAllowed)
		return
	case err != nil || seconds < 1 || seconds > 21600:
		http.Error(w, "ttl", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.issued++
	s.valid = fmt.Sprintf("secret-token-%d==", s.issued)
	if s.life != 0 {
		seconds = s.life
	}
	w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", strconv.Itoa(seconds))
	io.WriteString(w, s.valid)
}

// revoke makes every token invalid.
func (s *simulatedAWS) revoke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.valid = ""
}

func (s *simulatedAWS) tokens() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.issued
}

// simulatedGoogle holds a question back until there is something new, if asked to.
type simulatedGoogle struct {
	*simulator
	waiting map[string]int // questions that are held back, by path
	queries []string
}

func newSimulatedGoogle(t *testing.T) *simulatedGoogle {
	t.Helper()
	s := &simulatedGoogle{simulator: newSimulator(), waiting: map[string]int{}}
	s.set("/computeMetadata/v1/", "instance/\nproject/\n")
	s.set(preempted, "FALSE")
	s.set(maintenance, "NONE")
	s.set(instanceID, "4520031799277581759")
	s.set(zone, "projects/123456789012/zones/europe-west1-b")
	s.set(machineType, "projects/123456789012/machineTypes/n2-standard-4")
	s.serve(t, s.handle)
	return s
}

func (s *simulatedGoogle) handle(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Metadata-Flavor", "Google")
	if r.Header.Get("Metadata-Flavor") != "Google" || r.Header.Get("X-Forwarded-For") != "" || r.Method != http.MethodGet {
		http.Error(w, "Forbidden", http.StatusForbidden)
		return
	}
	query := r.URL.Query()
	value, found, changed := s.get(r.URL.Path)
	tag := func() string { return fmt.Sprintf("%x", value) }
	if query.Get("wait_for_change") == "true" && query.Get("last_etag") == tag() {
		seconds, err := strconv.Atoi(query.Get("timeout_sec"))
		if err != nil {
			http.Error(w, "timeout_sec", http.StatusBadRequest)
			return
		}
		s.hold(r.URL.Path, 1)
		select {
		case <-changed:
		case <-r.Context().Done():
		case <-time.After(time.Duration(seconds) * time.Second):
		}
		s.hold(r.URL.Path, -1)
		value, found, _ = s.get(r.URL.Path)
	}
	if !found {
		http.Error(w, "Not Found", http.StatusNotFound)
		return
	}
	s.mu.Lock()
	if r.URL.Path == preempted {
		s.queries = append(s.queries, r.URL.RawQuery)
	}
	s.mu.Unlock()
	w.Header().Set("ETag", tag())
	io.WriteString(w, value)
}

func (s *simulatedGoogle) hold(path string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting[path] += n
}

// held is how many questions for preemption are held back.
func (s *simulatedGoogle) held() int { return s.heldFor(preempted) }

func (s *simulatedGoogle) heldFor(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waiting[path]
}

// newSimulatedAzure has a machine of the name worker_1 without events.
func newSimulatedAzure(t *testing.T) *simulator {
	t.Helper()
	s := newSimulator()
	s.set(events, `{"DocumentIncarnation":0,"Events":[]}`)
	s.set(vmName, "worker_1")
	s.set(compute, azureCompute("2"))
	s.serve(t, func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		value, found, _ := s.get(r.URL.Path)
		versions := map[string]string{events: "2020-07-01", vmName: "2021-02-01", compute: "2018-10-01"}
		switch {
		case r.Header.Get("Metadata") != "true", r.Header.Get("X-Forwarded-For") != "":
			http.Error(w, `{"error":"Bad request. Required metadata header not specified"}`, http.StatusBadRequest)
		case !found:
			http.Error(w, `{"error":"Not found"}`, http.StatusNotFound)
		case query.Get("api-version") != versions[r.URL.Path]:
			http.Error(w, `{"error":"Bad request. api-version is invalid or was not specified in the request."}`, http.StatusBadRequest)
		case r.URL.Path == vmName && query.Get("format") != "text":
			http.Error(w, `{"error":"Bad request. JSON is only for objects"}`, http.StatusBadRequest)
		case r.Method == http.MethodPost && r.URL.Path == events:
			s.post(w, r)
		case r.Method != http.MethodGet:
			http.Error(w, `{"error":"Method not allowed"}`, http.StatusMethodNotAllowed)
		default:
			io.WriteString(w, value)
		}
	})
	return s
}

// post takes what has an event begin, if there is such an event.
func (s *simulator) post(w http.ResponseWriter, r *http.Request) {
	var said struct{ StartRequests []struct{ EventId string } }
	body, _ := io.ReadAll(r.Body)
	list, _, _ := s.get(events)
	err := json.Unmarshal(body, &said)
	if err != nil || len(said.StartRequests) == 0 || !strings.Contains(list, `"EventId":"`+said.StartRequests[0].EventId+`"`) {
		http.Error(w, `{"error":"Bad request. Events do not match"}`, http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.posted = append(s.posted, string(body))
}

func (s *simulator) posts() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.posted
}

// newSimulatedOpenStack is Nova's service, which knows no tokens.
func newSimulatedOpenStack(t *testing.T) *simulator {
	t.Helper()
	s := newSimulator()
	s.set(metaData, novaMetaData)
	s.set(ec2Type, "m1.small")
	s.set("/latest/meta-data/instance-id", "i-00000004")
	s.serve(t, func(w http.ResponseWriter, r *http.Request) {
		value, found, _ := s.get(r.URL.Path)
		if !found {
			http.Error(w, "<html><h1>404 Not Found</h1></html>", http.StatusNotFound)
			return
		}
		io.WriteString(w, value)
	})
	return s
}

// event is one of Azure's.
func event(kind, before string, resources ...string) string {
	return fmt.Sprintf(`{"EventId":"f020ba2e-3bc0-4c40-a10b-86575a9eabd5","EventStatus":"Scheduled","EventType":%q,`+
		`"ResourceType":"VirtualMachine","Resources":["%s"],"NotBefore":%q,"Description":"","EventSource":"Platform","DurationInSeconds":-1}`,
		kind, strings.Join(resources, `","`), before)
}

func eventList(list ...string) string {
	return `{"DocumentIncarnation":1,"Events":[` + strings.Join(list, ",") + `]}`
}
