package github_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
)

func TestRunnerRelease(t *testing.T) {
	t.Parallel()
	server := simulate(t)
	published := time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)
	server.SetPublished("2.337.0", published)
	for name, token := range map[string]string{"anonymous": "", "with a token": server.Token()} {
		c := newClient(t, "https://github.com/octo-org", server.APIURL(), token)
		for _, version := range []string{"", "2.337.0"} {
			release, err := c.RunnerRelease(t.Context(), version)
			if err != nil {
				t.Fatalf("%s, %q: %v", name, version, err)
			}
			if release.Version != "2.337.0" || !release.Published.Equal(published) || len(release.Assets) != 1 ||
				!strings.HasPrefix(release.Assets[0].Digest, "sha256:") || !strings.HasPrefix(release.Assets[0].URL, server.ArchiveURL()) ||
				!strings.Contains(release.Text, "BEGIN SHA linux-x64") {
				t.Errorf("%s, %q: %+v", name, version, release)
			}
			if skew := time.Since(release.Now); skew < -2*time.Second || skew > time.Minute {
				t.Errorf("%s: the server's clock is %v", name, release.Now)
			}
		}
		_, err := c.RunnerRelease(t.Context(), "2.300.0")
		if !errors.Is(err, github.ErrNotFound) || !strings.HasPrefix(err.Error(), "getting release 2.300.0 of actions/runner: GitHub answered 404") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, request := range server.Requests() {
		if scheme := request.AuthScheme; scheme != "" && scheme != "Bearer" {
			t.Errorf("%s %s has the credential %q", request.Method, request.Path, scheme)
		}
	}
}

func TestVersionSchedule(t *testing.T) {
	t.Parallel()
	server := simulate(t)
	soon, later := time.Now().Add(time.Hour).UTC().Truncate(time.Second), time.Now().Add(2*time.Hour).UTC().Truncate(time.Second)
	server.SetSchedule("2.336.0", soon, later)
	server.SetSchedule("2.335.0", time.Time{}, later)
	for _, scope := range []string{"octo-org", "octo-org/hello", "enterprises/octo"} {
		c := newClient(t, "https://github.com/"+scope, server.APIURL(), server.Token())
		for version, want := range map[string]github.Schedule{
			"2.337.0": {},
			"2.336.0": {Registration: soon, Runtime: later},
			"2.335.0": {Runtime: later},
		} {
			got, err := c.VersionSchedule(t.Context(), version)
			if err != nil || !got.Registration.Equal(want.Registration) || !got.Runtime.Equal(want.Runtime) || got.Now.IsZero() {
				t.Errorf("%s, %s: %+v, %v, want %+v", scope, version, got, err, want)
			}
		}
	}
	c := newClient(t, server.URL()+"/octo-org", "", server.Token())
	if _, err := c.VersionSchedule(t.Context(), "2.337.0"); !errors.Is(err, github.ErrNotFound) {
		t.Errorf("an appliance has no such look-up: %v", err)
	}
}

// A host that has just booted goes by the server's clock.
func TestServersClock(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]time.Time{
		"Fri, 02 Jan 2032 03:04:05 GMT": time.Date(2032, 1, 2, 3, 4, 5, 0, time.UTC),
		"":                              {},
		"tomorrow":                      {},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Date"] = []string{header}
			_, _ = w.Write([]byte(`{"tag_name":"v2.337.0"}`))
		}))
		release, err := newClient(t, "https://github.com/octo-org", server.URL, "").RunnerRelease(t.Context(), "")
		server.Close()
		if err != nil {
			t.Fatal(err)
		}
		if want.IsZero() {
			want = time.Now()
		}
		if off := release.Now.Sub(want).Abs(); off > time.Minute {
			t.Errorf("%q is read as %v", header, release.Now)
		}
	}
}

func TestCloud(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]bool{
		"https://github.com/o": true, "https://www.github.com/o/r": true, "https://octo.ghe.com/o": true,
		"https://github.example.test/o": false, "https://notghe.com/o": false, "http://127.0.0.1:8080/o": false,
		"https://github.com.example.test/o": false,
	} {
		scope, err := github.ParseScope(raw, "")
		if err != nil || scope.Cloud() != want {
			t.Errorf("%s is in the cloud: %t, %v", raw, !want, err)
		}
	}
}
