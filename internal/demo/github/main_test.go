package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
)

// told is what github.json says.
type told struct{ URL, Token, Control string }

// ask sends one request to control, and decodes the answer; the code is returned.
func ask(t *testing.T, verb, url, body string, into any) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), verb, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode == http.StatusOK {
		if err := json.Unmarshal(text, into); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	return response.StatusCode
}

// TestServe: a script starts it, learns where it is, gives a runner a job, and ends it.
func TestServe(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	listener, err := githubtest.BuildListener(ctx, t.TempDir(), runtime.GOOS, runtime.GOARCH)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, []string{listener, folder}) }()
	var at told
	for at.Control == "" {
		if ctx.Err() != nil {
			t.Fatal("no github.json")
		}
		if text, err := os.ReadFile(filepath.Join(folder, "github.json")); err == nil {
			if err := json.Unmarshal(text, &at); err != nil {
				t.Fatal(err)
			}
		}
	}
	var queued struct{ ID int }
	if ask(t, http.MethodPost, at.Control+"/jobs?runner=vm", "echo hello", &queued); queued.ID != 1 {
		t.Errorf("the first job has id %d", queued.ID)
	}
	var seen job
	if code := ask(t, http.MethodGet, at.Control+"/jobs?id=1", "", &seen); code != http.StatusOK || seen != (job{}) {
		t.Errorf("a job without a runner is %+v, code %d", seen, code)
	}
	var runners []struct{ Name, Status string }
	if code := ask(t, http.MethodGet, at.Control+"/runners", "", &runners); code != http.StatusOK || runners == nil || len(runners) != 0 {
		t.Errorf("the runners are %v, code %d", runners, code)
	}
	for _, id := range []string{"0", "2", "x", ""} {
		if code := ask(t, http.MethodGet, at.Control+"/jobs?id="+id, "", nil); code != http.StatusNotFound {
			t.Errorf("job %q: code %d", id, code)
		}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at.URL+"/orgs/octo-org/actions/runners", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+at.Token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if response.Body.Close(); response.StatusCode != http.StatusOK {
		t.Errorf("GitHub answers %s to the token of github.json", response.Status)
	}
	var ending bool
	ask(t, http.MethodPost, at.Control+"/end", "", &ending)
	if err := <-ended; err != nil || !ending {
		t.Errorf("it ended with %v", err)
	}
}
