package githubtest

import (
	"crypto/rsa"
	"slices"
	"strings"
	"time"
)

// Runner is a self-hosted runner as GitHub lists it.
type Runner struct {
	ID      int64
	Name    string
	Scope   string // "octo-org", "octo-org/hello", "enterprises/octo"
	GroupID int64
	OS      string
	Status  string // "online" or "offline"
	Busy    bool
	Labels  []Label
	Version string // empty until the runner first connects
	// Ephemeral runners vanish after their job; JIT tells those made by generate-jitconfig.
	Ephemeral, JIT bool
	// UpdatesDisabled is what --disableupdate told GitHub.
	UpdatesDisabled bool
}

// Label is one label of a runner. Type is "read-only" or "custom".
type Label struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
	Type string `json:"type"`
}

// state is everything the server remembers. It is guarded by the server's lock.
type state struct {
	skew         time.Duration
	lastID       int64
	adminToken   string
	minVersion   string
	credentials  map[string]*credential
	joinTokens   map[string]*joinToken
	accessTokens map[string]int64 // OAuth access token -> runner id
	runners      []*record
	groups       map[string][]group
	defaultRules map[string]GroupRules // of the group Default, by scope
	apps         []*app
	jobs         map[string][]*JobRun
	faults       []*activeFault
	offered
	observed
	loseLabels int // so many more registrations lose their custom labels
	lag        int // a deleted runner stays in so many lists
	lingering  []*lingering
}

// offered is which versions of the runner there are, and what is said of them.
type offered struct {
	archives   []*Archive
	digests    map[string]string // platform -> digest told instead of the true one
	downloads  map[string]string // archive path -> token that opens it
	deprecated map[string]bool
	schedules  map[string]schedule
	published  map[string]time.Time      // version -> date of its release
	released   map[string]ReleaseDigests // platform -> what releases tell
}

// observed is what was asked of the server, and what must not have been.
type observed struct {
	requests  []*Request
	witnesses []Witness
	secrets   []string
	problems  []error
	restCalls int
}

// lingering is a runner that is deleted and still listed, so many times.
type lingering struct {
	Runner
	left int
}

// record is a runner with what only the server knows of it.
type record struct {
	Runner
	fixed    bool // a foreign runner: its status is as told, nobody polls for it
	clientID string
	key      *rsa.PublicKey
	session  *session
	inbox    []message
	job      *JobRun
	unseen   time.Time // since when it has no session, as it stopped asking
}

type group struct {
	id   int64
	name string
	GroupRules
}

// GroupRules say who may use the runners of a group. The zero value lets everybody.
type GroupRules struct {
	NoPublic bool // public repositories may not
	// Restricted lets these workflows alone, and Repositories, unless it is nil, these repositories alone.
	Restricted   bool
	Workflows    []string
	Repositories []string
}

// sees tells whether a repository may use the group.
func (g group) sees(repository string) bool {
	return g.Repositories == nil || slices.Contains(g.Repositories, repository)
}

// joinToken is a registration or remove token: good for one scope and one purpose.
type joinToken struct {
	scope   string
	purpose string // "register" or "remove"
	expires time.Time
}

func newState() state {
	return state{
		lastID:       100,
		minVersion:   FirstAllowedVersion,
		credentials:  map[string]*credential{},
		joinTokens:   map[string]*joinToken{},
		accessTokens: map[string]int64{},
		groups:       map[string][]group{},
		defaultRules: map[string]GroupRules{},
		jobs:         map[string][]*JobRun{},
		offered: offered{
			digests: map[string]string{}, downloads: map[string]string{}, deprecated: map[string]bool{},
			schedules: map[string]schedule{}, published: map[string]time.Time{}, released: map[string]ReleaseDigests{},
		},
	}
}

func (st *state) nextID() int64 {
	st.lastID++
	return st.lastID
}

func (st *state) remember(secret string) string {
	if !slices.Contains(st.secrets, secret) {
		st.secrets = append(st.secrets, secret)
	}
	return secret
}

// normalScope is the form in which scopes are compared: GitHub's names are not case sensitive.
func normalScope(path string) string { return strings.ToLower(strings.Trim(path, "/")) }

func (st *state) runner(scope string, id int64) *record {
	for _, r := range st.runners {
		if r.ID == id && (scope == "" || r.Scope == scope) {
			return r
		}
	}
	return nil
}

func (st *state) runnerNamed(scope, name string) *record {
	for _, r := range st.runners {
		if strings.EqualFold(r.Name, name) && (scope == "" || r.Scope == scope) {
			return r
		}
	}
	return nil
}

func (st *state) groupsOf(scope string) []group {
	return append([]group{{id: 1, name: "Default", GroupRules: st.defaultRules[scope]}}, st.groups[scope]...)
}

// snapshot is the runner as of now.
func (r *record) snapshot() Runner {
	out := r.Runner
	out.Labels = slices.Clone(r.Labels)
	if r.fixed {
		return out
	}
	out.Status, out.Busy = "offline", r.job != nil
	if r.session != nil {
		out.Status = "online"
	}
	return out
}

// drop forgets a runner: its session ends, a job it was running is lost.
func (st *state) drop(r *record) {
	st.endSession(r)
	if st.lag > 0 {
		st.lingering = append(st.lingering, &lingering{r.snapshot(), st.lag})
	}
	st.runners = slices.DeleteFunc(st.runners, func(x *record) bool { return x == r })
}

// labelled turns names into labels, once each, whatever their case.
func (st *state) labelled(have []Label, names []string, kind string) []Label {
	for _, name := range names {
		known := slices.ContainsFunc(have, func(l Label) bool { return strings.EqualFold(l.Name, name) })
		if name == "" || known {
			continue
		}
		have = append(have, Label{ID: st.nextID(), Name: name, Type: kind})
	}
	return have
}

// Lag lets every runner that is deleted from now on stay in so many lists: GitHub's are not up to date at once.
func (s runnerStore) Lag(lists int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lag = lists
}

// stale are the runners that are deleted and still listed once more.
func (st *state) stale(scope, name string) []Runner {
	var out []Runner
	for _, l := range st.lingering {
		if l.left > 0 && l.Scope == scope && (name == "" || strings.EqualFold(l.Name, name)) {
			l.left--
			out = append(out, l.Runner)
		}
	}
	return out
}

// LoseLabels makes so many registrations from now on lose the custom labels that they ask for.
func (s runnerStore) LoseLabels(times int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loseLabels = times
}

// kept are the labels that a registration leaves a runner.
func (st *state) kept(labels []Label) []Label {
	if st.loseLabels == 0 {
		return labels
	}
	st.loseLabels--
	return readOnlyOf(labels)
}

// Runners lists the runners of a scope, or all with "".
func (s runnerStore) Runners(scopePath string) []Runner {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reapSessions()
	scope := normalScope(scopePath)
	out := []Runner{}
	for _, r := range s.runners {
		if scope == "" || r.Scope == scope {
			out = append(out, r.snapshot())
		}
	}
	return out
}

// AddRunner puts in a foreign runner, which no simulated program stands for: its status and its being busy stay as
// told.
func (s runnerStore) AddRunner(scopePath string, r Runner) Runner {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.ID == 0 {
		r.ID = s.nextID()
	}
	s.lastID = max(s.lastID, r.ID)
	r.Scope = normalScope(scopePath)
	r.GroupID = max(r.GroupID, 1)
	if r.OS == "" {
		r.OS = "linux"
	}
	if r.Status == "" {
		r.Status = "offline"
	}
	if r.Labels == nil {
		r.Labels = s.labelled(nil, []string{"self-hosted", "Linux", "X64"}, readOnly)
	}
	s.runners = append(s.runners, &record{Runner: r, fixed: true})
	s.notify()
	return r
}

// DeleteRunner removes a runner as somebody on the web page would, busy or not. It says whether there was one.
func (s runnerStore) DeleteRunner(id int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.runner("", id)
	if r == nil {
		return false
	}
	s.drop(r)
	s.notify()
	return true
}

// AddGroup adds a runner group and returns its id. The group "Default" with id 1 is always there.
func (s runnerStore) AddGroup(scopePath, name string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	scope := normalScope(scopePath)
	id := int64(len(s.groups[scope]) + 2)
	s.groups[scope] = append(s.groups[scope], group{id: id, name: name})
	return id
}

// SetGroup changes who may use the runners of a group that is there.
func (s runnerStore) SetGroup(scopePath, name string, rules GroupRules) {
	s.mu.Lock()
	defer s.mu.Unlock()
	scope := normalScope(scopePath)
	if name == "Default" {
		s.defaultRules[scope] = rules
	}
	for i := range s.groups[scope] {
		if s.groups[scope][i].name == name {
			s.groups[scope][i].GroupRules = rules
		}
	}
}

// SetMinimumVersion changes the oldest runner version that may register.
func (s runnerStore) SetMinimumVersion(version string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.minVersion = version
}
