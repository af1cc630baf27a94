package main

import (
	"os"
	"slices"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
)

// TestTokensOfTheEnvironment is about which variable is read for which kind of host, and which never is.
func TestTokensOfTheEnvironment(t *testing.T) {
	token := secret.New("ghp_0123456789")
	old := secret.New("0123456789abcdef0123456789abcdef01234567")
	opaque := secret.New("c2VjcmV0LW9mLWFub3RoZXItc2VydmljZQ")
	for _, test := range []struct {
		name string
		of   server
		set  map[string]secret.Secret
		want string // the variable that is taken
		// others and unknown are the variables whose tokens are not.
		others, unknown []string
	}{
		{"any host", ownServer, map[string]secret.Secret{"RUNNER_CFG_PAT": opaque, "ACCESS_TOKEN": token}, "RUNNER_CFG_PAT", []string{"ACCESS_TOKEN"}, nil},
		{"ours first", cloudServer, map[string]secret.Secret{"GH_TOKEN": token, "RUNNER_BOOTSTRAP_TOKEN": token}, "RUNNER_BOOTSTRAP_TOKEN", nil, nil},
		{"cloud", cloudServer, map[string]secret.Secret{"GH_TOKEN": opaque, "GH_ENTERPRISE_TOKEN": token}, "GH_TOKEN", []string{"GH_ENTERPRISE_TOKEN"}, nil},
		{"a server", ownServer, map[string]secret.Secret{"GH_TOKEN": token, "GITHUB_ENTERPRISE_TOKEN": opaque}, "GITHUB_ENTERPRISE_TOKEN", []string{"GH_TOKEN"}, nil},
		{"of the hosts of GitHub", cloudServer, map[string]secret.Secret{"ACCESS_TOKEN": token}, "ACCESS_TOKEN", nil, nil},
		{"in the old form", cloudServer, map[string]secret.Secret{"ACCESS_TOKEN": old}, "ACCESS_TOKEN", nil, nil},
		{"not for a server", ownServer, map[string]secret.Secret{"ACCESS_TOKEN": token}, "", []string{"ACCESS_TOKEN"}, nil},
		{"not for several", mixedServers, map[string]secret.Secret{"ACCESS_TOKEN": token, "GH_TOKEN": token}, "", []string{"GH_TOKEN", "ACCESS_TOKEN"}, nil},
		{"perhaps of another service", cloudServer, map[string]secret.Secret{"ACCESS_TOKEN": opaque}, "", nil, []string{"ACCESS_TOKEN"}},
		{"of GitLab", cloudServer, map[string]secret.Secret{"ACCESS_TOKEN": secret.New("glpat-0123456789")}, "", nil, []string{"ACCESS_TOKEN"}},
		{"no token", ownServer, map[string]secret.Secret{"ACCESS_TOKEN": secret.New("two words")}, "", nil, []string{"ACCESS_TOKEN"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, name := range tokenVariableNames() {
				t.Setenv(name, test.set[name].Reveal())
			}
			found := popTokens(test.of)
			if found.err != nil || found.name != test.want || found.token.Reveal() != test.set[test.want].Reveal() ||
				!slices.Equal(found.others, test.others) || !slices.Equal(found.unknown, test.unknown) {
				t.Errorf("%q is taken, not %v for their host, not %v for their form, error %v; want %q, %v, %v", found.name, found.others,
					found.unknown, found.err, test.want, test.others, test.unknown)
			}
			for _, name := range tokenVariableNames() {
				if _, there := os.LookupEnv(name); there {
					t.Errorf("%s is still in the environment", name)
				}
			}
		})
	}
}
