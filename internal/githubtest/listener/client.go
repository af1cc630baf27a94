package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"syscall"
	"time"
)

const (
	tries      = 3
	retryPause = 50 * time.Millisecond
	maxAnswer  = 4 << 20
)

// said is an error in the runner's own words, which begin and end like sentences.
type said string

func (s said) Error() string { return string(s) }

func saidf(format string, args ...any) said { return said(fmt.Sprintf(format, args...)) }

// statusError is an answer that is no success.
type statusError struct {
	method, url, requestID string
	status                 int
	body                   string
}

func (e *statusError) Error() string {
	return fmt.Sprintf("Response status code does not indicate success: %d (%s).", e.status, http.StatusText(e.status))
}

// report is what the runner prints about each such answer.
func (e *statusError) report() string {
	return fmt.Sprintf("Http response code: %s from '%s %s' (Request Id: %s)\n%s",
		strings.ReplaceAll(http.StatusText(e.status), " ", ""), e.method, e.url, e.requestID, e.body)
}

// request is one call to the server.
type request struct {
	method, url string
	auth        string // a whole Authorization header
	in          any    // encoded as JSON; url.Values as a form
	out         any    // decoded from a 200 or 201, left alone otherwise
}

// send does one request and returns the status of a success.
func (p *program) send(client *http.Client, r request) (int, error) {
	return p.sendContext(context.Background(), client, r)
}

func (p *program) sendContext(ctx context.Context, client *http.Client, r request) (int, error) {
	body, kind, err := encodeBody(r.in)
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, r.method, r.url, body)
	if err != nil {
		return 0, fmt.Errorf("making a request to %q: %w", r.url, err)
	}
	req.Header.Set("User-Agent", "GitHubActionsRunner-"+platform()+"/"+p.version)
	req.Header.Set("Accept", "application/vnd.github+json")
	req.Header.Set("X-GitHub-Api-Version", "2022-11-28")
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	if r.auth != "" {
		req.Header.Set("Authorization", r.auth)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, explainDial(err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return 0, fmt.Errorf("reading the answer of %q: %w", r.url, err)
	}
	if resp.StatusCode >= http.StatusMultipleChoices {
		return resp.StatusCode, &statusError{
			method: r.method, url: r.url, requestID: resp.Header.Get("X-GitHub-Request-Id"), status: resp.StatusCode,
			body: string(raw),
		}
	}
	if r.out != nil && resp.StatusCode < http.StatusAccepted {
		if err := json.Unmarshal(raw, r.out); err != nil {
			return resp.StatusCode, fmt.Errorf("reading the answer of %q: %w", r.url, err)
		}
	}
	return resp.StatusCode, nil
}

func encodeBody(in any) (io.Reader, string, error) {
	switch v := in.(type) {
	case nil:
		return nil, "", nil
	case url.Values:
		return strings.NewReader(v.Encode()), "application/x-www-form-urlencoded", nil
	default:
		raw, err := json.Marshal(v)
		if err != nil {
			return nil, "", fmt.Errorf("encoding a request: %w", err)
		}
		return bytes.NewReader(raw), "application/json; charset=utf-8", nil
	}
}

// explainDial uses the runner's words for what goes wrong before an answer.
func explainDial(err error) error {
	var u *url.Error
	host := ""
	if errors.As(err, &u) {
		if parsed, parseErr := url.Parse(u.URL); parseErr == nil {
			host = parsed.Host
		}
	}
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns):
		return saidf("Name or service not known (%s)", host)
	case errors.Is(err, syscall.ECONNREFUSED):
		return saidf("Connection refused (%s)", host)
	case strings.Contains(err.Error(), "x509"):
		return said("The SSL connection could not be established, see inner exception.")
	}
	return err
}

// persist tries three times, but only once if the server refuses.
func (p *program) persist(client *http.Client, r request) error {
	var err error
	for n := range tries {
		if n > 0 {
			time.Sleep(retryPause)
		}
		if _, err = p.send(client, r); err == nil {
			return nil
		}
		var refused *statusError
		if errors.As(err, &refused) {
			p.complain("%s", refused.report())
			if refused.status < http.StatusInternalServerError {
				return err
			}
		}
	}
	return err
}

// isHosted knows the hosts of github.com and of GitHub with data residency.
func isHosted(host string) bool {
	host = strings.ToLower(host)
	return host == "github.com" || host == "www.github.com" || host == "github.localhost" ||
		strings.HasSuffix(host, ".ghe.com") || strings.HasSuffix(host, ".ghe.localhost")
}

// place is where a scope lives: the REST root, and the address of its runners.
type place struct {
	base   string
	entity string
}

// locate reads a scope's web address. Unlike the real runner it keeps the port: a simulator has one.
func locate(address string) (place, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return place{}, saidf("Invalid URI: %q", address)
	}
	base := u.Scheme + "://" + u.Host + "/api/v3"
	if isHosted(u.Hostname()) {
		base = u.Scheme + "://api." + strings.TrimPrefix(u.Host, "www.")
	}
	parts := strings.Split(strings.Trim(u.Path, "/"), "/")
	switch {
	case len(parts) == 1 && parts[0] != "":
		return place{base: base, entity: base + "/orgs/" + parts[0] + "/actions"}, nil
	case len(parts) == 2 && strings.EqualFold(parts[0], "enterprises"):
		return place{base: base, entity: base + "/enterprises/" + parts[1] + "/actions"}, nil
	case len(parts) == 2:
		return place{base: base, entity: base + "/repos/" + parts[0] + "/" + parts[1] + "/actions"}, nil
	}
	return place{}, saidf("'%s' should point to an org or repository or enterprise.", address)
}

// platform is the runtime in the runner's naming.
func platform() string {
	system, arch := runtime.GOOS, runtime.GOARCH
	switch system {
	case "darwin":
		system = "osx"
	case "windows":
		system = "win"
	}
	if arch == "amd64" {
		arch = "x64"
	}
	return system + "-" + arch
}
