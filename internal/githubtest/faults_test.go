package githubtest_test

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
)

func TestFaultsAnswerInstead(t *testing.T) {
	const tokens = "/orgs/octo-org/actions/runners/registration-token"
	retryAfter := http.Header{"Retry-After": {"7"}}
	for _, tc := range []struct {
		name   string
		fault  githubtest.Fault
		status int
		check  func(t *testing.T, r reply)
	}{
		{"503", githubtest.Fault{Status: 503}, 503, func(t *testing.T, r reply) {
			if r.body["message"] == nil {
				t.Errorf("no message: %s", r.raw)
			}
		}},
		{"rate limit", githubtest.Fault{Status: 429, Header: retryAfter}, 429, func(t *testing.T, r reply) {
			if r.header.Get("Retry-After") != "7" {
				t.Errorf("headers %v", r.header)
			}
		}},
		{"not JSON", githubtest.Fault{NotJSON: true}, 200, func(t *testing.T, r reply) {
			if !strings.HasPrefix(string(r.raw), "<!DOCTYPE html>") {
				t.Errorf("body %s", r.raw)
			}
		}},
		{"own body", githubtest.Fault{Status: 403, Body: `{"message":"no"}`}, 403, func(t *testing.T, r reply) {
			if r.body["message"] != "no" {
				t.Errorf("body %s", r.raw)
			}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := start(t, githubtest.Config{})
			tc.fault.Path, tc.fault.Method, tc.fault.Times = "/orgs/*/actions/runners/registration-token", "POST", 1
			tc.fault.Skip = 1
			s.Fault(tc.fault)
			a := api{t: t, root: s.URL() + "/api/v3", token: s.Token()}
			a.want(201, "POST", tokens, nil)
			r := a.want(tc.status, "POST", tokens, nil)
			tc.check(t, r)
			if r.header.Get(githubtest.FaultHeader) != "" {
				t.Error("the mark of the fault went out")
			}
			a.want(201, "POST", tokens, nil)
		})
	}
}

func TestFaultAfterEffect(t *testing.T) {
	s := start(t, githubtest.Config{})
	s.Fault(githubtest.Fault{Path: "/orgs/*/actions/runners/generate-jitconfig", Times: 1, Status: 502, AfterEffect: true})
	a := api{t: t, root: s.APIURL(), token: s.Token()}
	body := map[string]any{"name": "one", "runner_group_id": 1, "labels": []string{"a"}}
	a.want(502, "POST", "/orgs/octo-org/actions/runners/generate-jitconfig", body)
	if got := s.Runners("octo-org"); len(got) != 1 {
		t.Fatalf("runners %v", got)
	}
	a.want(409, "POST", "/orgs/octo-org/actions/runners/generate-jitconfig", body)
}

func TestFaultsOnTheConnection(t *testing.T) {
	archive := githubtest.ArchiveOf("linux-x64", "2.337.0", []byte(strings.Repeat("0123456789", 1000)))
	for _, tc := range []struct {
		name  string
		fault githubtest.Fault
		got   int64 // bytes that arrive
		fails bool
		least time.Duration
	}{
		{"closed", githubtest.Fault{CloseConnection: true}, 0, true, 0},
		{"cut", githubtest.Fault{CutAfter: 4321}, 4321, true, 0},
		{"cut at once", githubtest.Fault{CutAfter: -1}, 0, true, 0},
		{"stall", githubtest.Fault{StallAfter: 100}, 100, true, 150 * time.Millisecond},
		{"slow", githubtest.Fault{RatePerSecond: 100_000}, 10_000, false, 80 * time.Millisecond},
		{"late", githubtest.Fault{Delay: 80 * time.Millisecond}, 10_000, false, 80 * time.Millisecond},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := start(t, githubtest.Config{Archive: archive})
			tc.fault.Host, tc.fault.Times = "archive", 1
			s.Fault(tc.fault)
			client := http.Client{Timeout: 5 * time.Second}
			if tc.name == "stall" {
				client.Timeout = 200 * time.Millisecond
			}
			begun := time.Now()
			n, err := fetch(t, &client, s.ArchiveURL()+"/"+archive.Filename)
			if n != tc.got || (err != nil) != tc.fails || time.Since(begun) < tc.least {
				t.Errorf("%d bytes in %v: %v", n, time.Since(begun), err)
			}
			if n, err := fetch(t, &client, s.ArchiveURL()+"/"+archive.Filename); n != 10_000 || err != nil {
				t.Errorf("afterwards %d bytes: %v", n, err)
			}
		})
	}
}

func fetch(t *testing.T, client *http.Client, address string) (int64, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	return io.Copy(io.Discard, resp.Body)
}

func TestRedirect(t *testing.T) {
	archive := githubtest.ArchiveOf("linux-x64", "2.337.0", []byte("0123456789"))
	s := start(t, githubtest.Config{Archive: archive})
	s.Fault(githubtest.Fault{Host: "archive", Times: 1, Redirect: s.ArchiveURL() + "/v2.337.0/" + archive.Filename})
	if n, err := fetch(t, http.DefaultClient, s.ArchiveURL()+"/"+archive.Filename); n != 10 || err != nil {
		t.Errorf("%d bytes: %v", n, err)
	}
	all := s.Requests()
	if len(all) != 2 || all[0].Status != 302 || all[1].Status != 200 || all[1].Path != "/v2.337.0/"+archive.Filename {
		t.Errorf("recorded %+v", all)
	}
}

func TestTLS(t *testing.T) {
	certified := httptest.NewTLSServer(http.NotFoundHandler())
	defer certified.Close()
	archive := githubtest.ArchiveOf("linux-x64", "2.337.0", []byte("0123456789"))
	s := start(t, githubtest.Config{Archive: archive, TLS: certified.TLS})
	if !strings.HasPrefix(s.URL(), "https://") {
		t.Errorf("address %s", s.URL())
	}
	if n, err := fetch(t, certified.Client(), s.ArchiveURL()+"/"+archive.Filename); n != 10 || err != nil {
		t.Errorf("%d bytes: %v", n, err)
	}
}

func TestUnusedFaultIsAProblem(t *testing.T) {
	s, err := githubtest.Start(githubtest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.Fault(githubtest.Fault{Status: 500})
	if got := s.Problems(); len(got) != 0 {
		t.Errorf("problems %v", got)
	}
	s.Fault(githubtest.Fault{Path: "/meta", Status: 500, Times: 2})
	if got := s.Problems(); len(got) != 1 {
		t.Errorf("problems %v", got)
	}
	s.ClearFaults()
	if got := s.Problem(); got != nil {
		t.Errorf("problem %v", got)
	}
}

func TestUnexpectedRequestsAreProblems(t *testing.T) {
	s, err := githubtest.Start(githubtest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, address := range []string{s.APIURL() + "/users/octocat", s.URL() + "/api/v3/zen", s.ArchiveURL() + "/nothing"} {
		before := len(s.Problems())
		if _, err := fetch(t, http.DefaultClient, address); err != nil {
			t.Fatal(err)
		}
		if got := s.Problems(); len(got) != before+1 {
			t.Errorf("%s: problems %v", address, got)
		}
	}
}

func TestArchiveHost(t *testing.T) {
	a := small(t, "linux-x64", "2.337.0")
	s := start(t, githubtest.Config{Archive: a})
	var token, address string
	{
		r := api{t: t, root: s.URL() + "/api/v3", token: s.Token()}.
			want(200, "GET", "/orgs/octo-org/actions/runners/downloads", nil)
		fields := strings.Split(string(r.raw), `"`)
		for i, f := range fields {
			switch f {
			case "temp_download_token":
				token = fields[i+2]
			case "download_url":
				address = fields[i+2]
			}
		}
	}
	release := s.ArchiveURL() + "/actions/runner/releases/download/v2.337.0/" + a.Filename
	for _, tc := range []struct {
		name, url string
		header    http.Header
		status    int
		carried   bool
	}{
		{"release", release, nil, 200, false},
		{"mirror", s.ArchiveURL() + "/v2.337.0/" + a.Filename, nil, 200, false},
		{"range", release, http.Header{"Range": {"bytes=10-"}}, 206, false},
		{"stale range", release, http.Header{"Range": {"bytes=10-"}, "If-Range": {`"other"`}}, 200, false},
		{"appliance", address, http.Header{"Authorization": {"Bearer " + token}}, 200, false},
		{"appliance without token", address, nil, 404, false},
		{"leaked PAT", release, http.Header{"Authorization": {"Bearer " + s.Token()}}, 200, true},
		{"leaked token in the address", release + "?t=" + s.Token(), nil, 200, true},
		{"leaked download token", release, http.Header{"Authorization": {"Bearer " + token}}, 200, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, tc.url, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header = tc.header.Clone()
			if req.Header == nil {
				req.Header = http.Header{}
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			sum := sha256.New()
			if _, err := io.Copy(sum, resp.Body); err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != tc.status {
				t.Errorf("status %d", resp.StatusCode)
			}
			whole := resp.StatusCode == 200
			if whole && (hex.EncodeToString(sum.Sum(nil)) != a.SHA256 || resp.ContentLength != a.Size) {
				t.Errorf("%d bytes with another digest", resp.ContentLength)
			}
			all := s.Requests()
			if last := all[len(all)-1]; last.Root != "archive" || last.CarriedSecret != tc.carried {
				t.Errorf("recorded %+v", last)
			}
		})
	}
}

func TestDigestsMayBeWrongOrMissing(t *testing.T) {
	s := start(t, githubtest.Config{Archive: small(t, "linux-x64", "2.337.0")})
	a := api{t: t, root: s.APIURL(), token: s.Token()}
	downloads := func() string {
		return string(a.want(200, "GET", "/orgs/octo-org/actions/runners/downloads", nil).raw)
	}
	s.SetDigest("linux-x64", strings.Repeat("0", 64))
	if got := downloads(); !strings.Contains(got, strings.Repeat("0", 64)) {
		t.Error(got)
	}
	s.SetDigest("linux-x64", "")
	if got := downloads(); strings.Contains(got, "sha256_checksum") {
		t.Error(got)
	}
	if got := a.want(200, "GET", "/repos/actions/runner/releases/latest", nil); strings.Contains(string(got.raw), "BEGIN SHA") {
		t.Errorf("release %s", got.raw)
	}
	s.AddArchive(small(t, "linux-x64", "2.338.0"))
	s.AddArchive(small(t, "win-x64", "2.337.0"))
	if got := downloads(); !strings.Contains(got, "2.338.0.tar.gz") || strings.Contains(got, "linux-x64-2.337.0") ||
		!strings.Contains(got, "win-x64-2.337.0.zip") {
		t.Error(got)
	}
}
