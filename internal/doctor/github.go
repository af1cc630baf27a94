package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
	"github.com/runner-bootstrap/runner-bootstrap/internal/shell"
)

const (
	// GitHub refuses what was signed with a clock that is wrong by more than five minutes, as does the runner.
	skewWarned = time.Minute
	skewFailed = 5 * time.Minute
	// nobody is a name that no runner has: GitHub is asked for it only to see whether it answers.
	nobody = "runner-bootstrap-doctor"
)

// gitHub makes the three checks that need an answer of the API: the clock, the credential and the group.
func (n network) gitHub(ctx context.Context) []Finding {
	if n.host.Scope == nil {
		return slices.Concat(skipped("clock", noURL), skipped("token", noURL), skipped("group", noURL))
	}
	header, skew, err := n.ask(ctx)
	if err != nil {
		const found = "GitHub was not reached"
		return slices.Concat(skipped("clock", found), skipped("token", found), skipped("group", found))
	}
	return slices.Concat(n.clock(header, skew), n.token(ctx, header), n.group(ctx))
}

// ask sends the API a question that counts against no limit, and returns what the answer is headed by, and by how much
// our clock is ahead of GitHub's.
func (n network) ask(ctx context.Context) (http.Header, time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, networkTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, n.host.Scope.API()+"/rate_limit", http.NoBody)
	if err != nil {
		return nil, 0, fmt.Errorf("asking for GitHub's clock: %w", err)
	}
	request.Header.Set("Accept", "application/vnd.github+json")
	request.Header.Set("X-GitHub-Api-Version", "2022-11-28")
	if !n.host.Token.Empty() {
		request.Header.Set("Authorization", "Bearer "+n.host.Token.Reveal())
	}
	sent := time.Now()
	answer, err := n.host.Web.Do(request)
	if err != nil {
		return nil, 0, fmt.Errorf("asking for GitHub's clock: %w", err)
	}
	defer answer.Body.Close()
	middle := sent.Add(time.Since(sent) / 2)
	_, _ = io.CopyN(io.Discard, answer.Body, 64<<10) // the connection is used again
	date, err := http.ParseTime(answer.Header.Get("Date"))
	if err != nil {
		return answer.Header, 0, nil //nolint:nilerr // a server need not tell the time
	}
	return answer.Header, middle.Sub(date), nil
}

func (n network) clock(header http.Header, skew time.Duration) []Finding {
	const check = "clock"
	fix := shell.Here().Do(shell.SetClock)
	object := n.host.Scope.API()
	if header.Get("Date") == "" {
		return skipped(check, "the server does not tell the time")
	}
	way, size := "ahead of", skew.Abs().Round(time.Second)
	if skew < 0 {
		way = "behind"
	}
	found := fmt.Sprintf("this host's clock is %s %s GitHub's", size, way)
	switch {
	case size > skewFailed:
		return one(check, Failed, object, found, fix)
	case size > skewWarned:
		return one(check, Warning, object, found, fix)
	default:
		return one(check, OK, object, "it agrees with GitHub's", "")
	}
}

// kind names a token by its prefix.
func kind(token secret.Secret) string {
	for _, known := range [][2]string{
		{"ghp_", "a classic token"},
		{"github_pat_", "a fine-grained token"},
		{"ghs_", "a token of a GitHub App"},
		{"gho_", "a token of an OAuth App"},
		{"ghu_", "a user's token of a GitHub App"},
	} {
		if strings.HasPrefix(token.Reveal(), known[0]) {
			return known[1]
		}
	}
	if token.Empty() {
		return "a GitHub App"
	}
	return "a token of an unknown kind"
}

// scopesFor are the scopes of a classic token each of which lets it register runners.
func scopesFor(kind github.Kind) []string {
	switch kind {
	case github.Organization:
		return []string{"admin:org"}
	case github.Enterprise:
		return []string{"manage_runners:enterprise", "admin:enterprise"}
	case github.Repository:
	}
	return []string{"repo"}
}

// token asks for the runners. Reading them needs the same right as registering one with a classic token or an App's;
// a fine-grained token may have a right to read alone, of which GitHub tells nothing.
func (n network) token(ctx context.Context, header http.Header) []Finding {
	const check = "token"
	if n.host.Client == nil {
		return skipped(check, "no credential given")
	}
	ctx, cancel := context.WithTimeout(ctx, networkTime)
	defer cancel()
	object := kind(n.host.Token)
	if _, err := n.host.Client.Runners(ctx, nobody); err != nil {
		return []Finding{{Check: check, State: Failed, Object: object, Found: err.Error(), Cause: err}}
	}
	scopes, classic := header[http.CanonicalHeaderKey("X-OAuth-Scopes")]
	if !classic {
		return one(check, OK, object, "it may list the runners of "+n.host.Scope.String(), "")
	}
	needed := scopesFor(n.host.Scope.Kind)
	for scope := range strings.SplitSeq(strings.Join(scopes, ","), ",") {
		if slices.Contains(needed, strings.TrimSpace(scope)) {
			return one(check, OK, object, "it has the scope "+strings.TrimSpace(scope), "")
		}
	}
	found := fmt.Sprintf("it has the scopes %q and not %s", strings.Join(scopes, ","), strings.Join(needed, " or "))
	fix := "gh auth refresh --scopes " + needed[0]
	if _, host, _ := strings.Cut(n.host.Scope.Server(), "://"); host != "github.com" && host != "www.github.com" {
		fix += " --hostname " + shell.Quote(host)
	}
	return one(check, Failed, object, found, fix)
}

// group looks at the group that is named, else at the default one: what it does not let in waits for ever.
func (n network) group(ctx context.Context) []Finding {
	const check = "group"
	switch {
	case n.host.Scope.Kind == github.Repository:
		return skipped(check, "a repository has no runner groups")
	case n.host.Client == nil && n.host.Group == "":
		return skipped(check, "no --runnergroup given")
	case n.host.Client == nil:
		return skipped(check, "no credential given")
	}
	ctx, cancel := context.WithTimeout(ctx, networkTime)
	defer cancel()
	group, err := n.host.Client.FindGroup(ctx, n.host.Group)
	if err != nil && n.host.Group == "" {
		return skipped(check, "no --runnergroup given") // what is wrong with the credential is told by another check
	}
	if err != nil {
		finding := Finding{Check: check, State: Failed, Object: n.host.Group, Found: err.Error(), Cause: err}
		if errors.Is(err, github.ErrGroupUnknown) {
			finding.Fix = n.host.Again("--runnergroup", "Default")
		}
		return []Finding{finding}
	}
	object := cmp.Or(n.host.Group, group.Name)
	limits := group.Limits()
	switch {
	case group.Closed() && n.host.Group != "":
		return one(check, Failed, object, limits[0], n.host.Again("--runnergroup", "Default"))
	case len(limits) > 0:
		return one(check, Warning, object, strings.Join(limits, "; "), "")
	}
	return one(check, OK, object, fmt.Sprintf("it has the id %d", group.ID), "")
}
