package githubtest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	readOnly = "read-only"
	custom   = "custom"

	maxNameLength  = 64
	maxLabelLength = 256
	maxLabels      = 100
	defaultPerPage = 30
	maxPerPage     = 100
)

// runnerOperations are those every kind of scope has.
func (s *Server) runnerOperations(on func(method, suffix string, h func(*call) answer)) {
	on("GET", "/actions/runners", listRunners)
	on("GET", "/actions/runners/downloads", listDownloads)
	on("POST", "/actions/runners/generate-jitconfig", generateJIT)
	on("POST", "/actions/runners/registration-token", joinTokenFor(purposeRegister))
	on("POST", "/actions/runners/remove-token", joinTokenFor(purposeRemove))
	on("GET", "/actions/runners/{id}", onRunner(func(_ *call, r *record) answer { return ok(runnerJSON(r.snapshot())) }))
	on("DELETE", "/actions/runners/{id}", onRunner(deleteRunner))
	on("GET", "/actions/runners/{id}/{part}", partOfRunner)
	on("POST", "/actions/runners/{id}/labels", onRunner(addLabels))
	on("PUT", "/actions/runners/{id}/labels", onRunner(setLabels))
	on("DELETE", "/actions/runners/{id}/labels", onRunner(clearLabels))
	on("DELETE", "/actions/runners/{id}/labels/{label}", onRunner(removeLabel))
	on("GET", "/actions/runner-groups", listGroups)
	on("GET", "/actions/runner-groups/{id}", getGroup)
}

func runnerJSON(r Runner) map[string]any {
	labels := r.Labels
	if labels == nil {
		labels = []Label{}
	}
	out := map[string]any{
		"id": r.ID, "runner_group_id": r.GroupID, "name": r.Name, "os": r.OS, "status": r.Status, "busy": r.Busy,
		"labels": labels, "ephemeral": r.Ephemeral, "version": nil,
	}
	if r.Version != "" {
		out["version"] = r.Version
	}
	return out
}

func listRunners(c *call) answer {
	name := c.URL.Query().Get("name")
	all := []map[string]any{}
	for _, r := range c.s.runners {
		if r.Scope == c.scope && (name == "" || strings.EqualFold(r.Name, name)) {
			all = append(all, runnerJSON(r.snapshot()))
		}
	}
	for _, r := range c.s.stale(c.scope, name) {
		all = append(all, runnerJSON(r))
	}
	part, header := page(c, all)
	return answer{status: http.StatusOK, header: header, body: map[string]any{"total_count": len(all), "runners": part}}
}

// page cuts one page out of a list, and makes the Link header that leads to the others.
func page[T any](c *call, all []T) ([]T, http.Header) {
	q := c.URL.Query()
	size := min(max(number(q, "per_page", defaultPerPage), 1), maxPerPage)
	at := max(number(q, "page", 1), 1)
	last := max((len(all)+size-1)/size, 1)
	from := min((at-1)*size, len(all))
	part := all[from:min(from+size, len(all))]
	prefix := ""
	if c.root == rootGHES {
		prefix = ghesPrefix
	}
	var links []string
	link := func(n int, rel string) {
		q.Set("page", strconv.Itoa(n))
		u := c.s.origin(c.Request) + prefix + c.URL.EscapedPath() + "?" + q.Encode()
		links = append(links, fmt.Sprintf("<%s>; rel=%q", u, rel))
	}
	if at > 1 {
		link(at-1, "prev")
		link(1, "first")
	}
	if at < last {
		link(at+1, "next")
		link(last, "last")
	}
	header := http.Header{}
	if links != nil {
		header.Set("Link", strings.Join(links, ", "))
	}
	return part, header
}

func number(q url.Values, key string, otherwise int) int {
	n, err := strconv.Atoi(q.Get(key))
	if err != nil {
		return otherwise
	}
	return n
}

func onRunner(h func(*call, *record) answer) func(*call) answer {
	return func(c *call) answer {
		id, err := strconv.ParseInt(c.PathValue("id"), 10, 64)
		if err != nil {
			return notFound()
		}
		r := c.s.runner(c.scope, id)
		if r == nil {
			return notFound()
		}
		return h(c, r)
	}
}

// partOfRunner tells the two operations apart that net/http cannot: a runner's labels and the look-up of a version.
func partOfRunner(c *call) answer {
	switch {
	case c.PathValue("id") == "deprecations":
		return versionSchedule(c, c.PathValue("part"))
	case c.PathValue("part") == "labels":
		return onRunner(func(_ *call, r *record) answer { return labelsAnswer(r) })(c)
	}
	return unexpected(c)
}

func deleteRunner(c *call, r *record) answer {
	if r.snapshot().Busy {
		return invalid("Runner %q is currently running a job and cannot be deleted.", r.Name)
	}
	c.s.drop(r)
	c.s.notify()
	return noContent()
}

func joinTokenFor(purpose string) func(*call) answer {
	return func(c *call) answer {
		secret := c.s.newJoinToken(c.scope, purpose)
		expires := c.s.joinTokens[secret].expires
		return created(map[string]string{"token": secret, "expires_at": expires.UTC().Format(time.RFC3339)})
	}
}

type jitRequest struct {
	Name       string   `json:"name"`
	GroupID    *int64   `json:"runner_group_id"`
	Labels     []string `json:"labels"`
	WorkFolder string   `json:"work_folder"`
}

func (j jitRequest) problem() *answer {
	var a answer
	switch {
	case j.Name == "" || len(j.Name) > maxNameLength:
		a = invalid("Invalid request.\n\nRunner name must be 1 to %d characters long.", maxNameLength)
	case j.GroupID == nil:
		a = invalid("Invalid request.\n\n\"runner_group_id\" wasn't supplied.")
	default:
		return labelProblem(j.Labels, 1)
	}
	return &a
}

func labelProblem(labels []string, atLeast int) *answer {
	var a answer
	switch {
	case len(labels) < atLeast || len(labels) > maxLabels:
		a = invalid("Invalid request.\n\nNumber of labels must be %d to %d.", atLeast, maxLabels)
	case slices.ContainsFunc(labels, func(l string) bool { return l == "" || utf8.RuneCountInString(l) > maxLabelLength }):
		a = invalid("Invalid request.\n\nA label must be 1 to %d characters long.", maxLabelLength)
	default:
		return nil
	}
	return &a
}

func generateJIT(c *call) answer {
	var req jitRequest
	if bad := c.decode(&req); bad != nil {
		return *bad
	}
	if bad := req.problem(); bad != nil {
		return *bad
	}
	if !c.s.hasGroup(c.scope, *req.GroupID) {
		return notFound()
	}
	if c.s.runnerNamed(c.scope, req.Name) != nil {
		return refuse(http.StatusConflict, "Already exists - A runner with the name "+req.Name+" already exists.")
	}
	key, err := runnerKey()
	if err != nil {
		return refuse(http.StatusInternalServerError, err.Error())
	}
	r := &record{
		Runner: Runner{
			ID: c.s.nextID(), Name: req.Name, Scope: c.scope, GroupID: *req.GroupID,
			OS: "unknown", Ephemeral: true, JIT: true, Labels: c.s.kept(c.s.jitLabels(req.Labels)),
		},
		clientID: newGUID(), key: &key.PublicKey,
	}
	blob, err := encodeJIT(r, req.WorkFolder, c.s.origin(c.Request), privateParams(key))
	if err != nil {
		return refuse(http.StatusInternalServerError, err.Error())
	}
	c.s.runners = append(c.s.runners, r)
	c.s.remember(blob)
	c.s.notify()
	return created(map[string]any{"runner": runnerJSON(r.snapshot()), "encoded_jit_config": blob})
}

func (s *Server) hasGroup(scope string, id int64) bool {
	return slices.ContainsFunc(s.groupsOf(scope), func(g group) bool { return g.id == id })
}

// jitLabels are exactly those asked for, in lower case: a JIT runner gets no default labels.
func (st *state) jitLabels(names []string) []Label {
	wellKnown := []string{"self-hosted", "linux", "macos", "windows", "x64", "x86", "arm", "arm64"}
	var out []Label
	for _, name := range names {
		name = strings.ToLower(name)
		kind := custom
		if slices.Contains(wellKnown, name) {
			kind = readOnly
		}
		out = st.labelled(out, []string{name}, kind)
	}
	return out
}

// encodeJIT makes what the runner takes as --jitconfig: base64 of an object of file names and base64 file contents.
func encodeJIT(r *record, work, origin string, rsaParams map[string]string) (string, error) {
	if work == "" {
		work = "_work"
	}
	files := map[string]any{
		".runner": map[string]any{
			"AgentId": strconv.FormatInt(r.ID, 10), "AgentName": r.Name, "DisableUpdate": "False", "Ephemeral": "True",
			"PoolId": strconv.FormatInt(r.GroupID, 10), "PoolName": nil, "ServerUrl": "",
			"ServerUrlV2": origin + brokerPath, "UseV2Flow": "True", "WorkFolder": work,
		},
		".credentials": map[string]any{
			"Scheme": "OAuth",
			"Data": map[string]string{
				"ClientId": r.clientID, "AuthorizationUrl": origin + oauthPath, "RequireFipsCryptography": "True",
			},
		},
		".credentials_rsaparams": rsaParams,
	}
	blob := map[string]string{}
	for name, content := range files {
		raw, err := json.Marshal(content)
		if err != nil {
			return "", fmt.Errorf("encoding %s of a JIT configuration: %w", name, err)
		}
		blob[name] = base64.StdEncoding.EncodeToString(raw)
	}
	raw, err := json.Marshal(blob)
	if err != nil {
		return "", fmt.Errorf("encoding a JIT configuration: %w", err)
	}
	return base64.StdEncoding.EncodeToString(raw), nil
}

// schedule is the end of a version's life, as it is told; nil is null.
type schedule struct{ registration, runtime any }

// SetSchedule plans the end of a version's life. A zero time is told as null.
func (s *Server) SetSchedule(version string, registration, runtime time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tell := func(at time.Time) any {
		if at.IsZero() {
			return nil
		}
		return at.UTC().Format(time.RFC3339)
	}
	s.schedules[version] = schedule{tell(registration), tell(runtime)}
}

// versionSchedule is the end-of-life look-up, which GitHub Enterprise Server does not have.
func versionSchedule(c *call, version string) answer {
	if c.root == rootGHES {
		return notFound()
	}
	out := map[string]any{
		"runner_version": version, "registration_deprecates_at": nil, "runtime_deprecates_at": nil,
	}
	if planned, told := c.s.schedules[version]; told {
		out["registration_deprecates_at"], out["runtime_deprecates_at"] = planned.registration, planned.runtime
	}
	if c.s.deprecated[version] || olderThan(version, c.s.minVersion) {
		past := c.s.now().Add(-24 * time.Hour).UTC().Format(time.RFC3339)
		out["registration_deprecates_at"], out["runtime_deprecates_at"] = past, past
	}
	return ok(out)
}
