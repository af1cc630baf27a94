// Package sealcheck finds what must not be on a host whose disk becomes an image: each
// machine made of it would have the same secret, or be the same runner.
package sealcheck

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"github.com/runner-bootstrap/runner-bootstrap/internal/openfile"
)

// Finding is one thing that must not be there.
type Finding struct {
	Path string `json:"path"`
	What string `json:"what"` // for people; never what a secret is
}

// Places are where to look. A place that does not exist is fine.
type Places struct {
	// Secrets are files, and folders with everything below them, in which nothing may
	// look like a secret.
	Secrets []string
	// Runners is the parent of runner roots: nothing may be in it.
	Runners string
	// Units holds the service manager's units: none of them may start a runner.
	Units string
	// Skip is left out of Secrets.
	Skip []string
}

const (
	// maxFile is how much of a file is read. What is ours, and what cloud-init keeps, is
	// far smaller; a log can be larger.
	maxFile = 16 << 20
	// overlap is more than the longest secret that is looked for, so that none is missed
	// between two pieces of a file.
	overlap = 4 << 10
	piece   = 256 << 10
)

// kind is a secret by its shape.
type kind struct {
	what  string
	shape *regexp.Regexp
}

// kinds are the shapes that GitHub documents for its tokens ("Behind GitHub's new
// authentication token formats"), keys, and a just-in-time configuration, which is the
// base64 of {".runner":...} or {".credentials...":...}. A registration token has
// no shape of its own, and is worthless after an hour.
func kinds() []kind {
	return []kind{
		{"an access token of GitHub", tokenShape},
		{"a private key", keyShape},
		{"a just-in-time configuration", jitShape},
	}
}

var (
	tokenShape = regexp.MustCompile(`\b(gh[pousr]_[A-Za-z0-9][A-Za-z0-9_.-]{19,}|github_pat_[A-Za-z0-9_]{20,})`)
	keyShape   = regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----`)
	jitShape   = regexp.MustCompile(`eyIu(cnVubmVy|Y3JlZGVudGlhbHN)[A-Za-z0-9+/]{40}`)
	// starter is what a unit of a runner starts: our program, or GitHub's own wrapper.
	starter = regexp.MustCompile(`(?m)^ExecStart=.*(runner-bootstrap"? .*run\b|/runsvc\.sh)`)
)

// Look returns everything that must not be there, in the order of the places. It
// changes nothing and may be repeated. A place that cannot be read is an error:
// nothing would be proven.
func Look(places Places) ([]Finding, error) {
	found, err := roots(places.Runners)
	if err != nil {
		return nil, err
	}
	units, err := starting(places.Units)
	if err != nil {
		return nil, err
	}
	found = append(found, units...)
	for _, place := range places.Secrets {
		secrets, err := below(place, places.Skip)
		if err != nil {
			return nil, err
		}
		found = append(found, secrets...)
	}
	return found, nil
}

func roots(runners string) ([]Finding, error) {
	entries, err := os.ReadDir(runners)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("looking for runners: %w", err)
	}
	var found []Finding
	for _, entry := range entries {
		found = append(found, Finding{filepath.Join(runners, entry.Name()), "the directory of a runner"})
	}
	return found, nil
}

func starting(units string) ([]Finding, error) {
	if units == "" {
		return nil, nil
	}
	files, err := filepath.Glob(filepath.Join(units, "*.service"))
	if err != nil {
		return nil, fmt.Errorf("looking for units: %w", err)
	}
	var found []Finding
	for _, file := range files {
		text, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue // a link to nowhere, or masked
		}
		if err != nil {
			return nil, fmt.Errorf("looking for units: %w", err)
		}
		if starter.Match(text) {
			found = append(found, Finding{file, "a service that would start a runner in every copy"})
		}
	}
	return found, nil
}

func below(place string, skip []string) ([]Finding, error) {
	var found []Finding
	err := filepath.WalkDir(place, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		}
		for _, other := range skip {
			if path == other {
				return fs.SkipDir
			}
		}
		if !entry.Type().IsRegular() {
			return nil
		}
		what, err := secretIn(path)
		if err != nil {
			return err
		}
		if what != "" {
			found = append(found, Finding{path, what})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("looking for secrets: %w", err)
	}
	return found, nil
}

// secretIn says what a file holds; empty if it holds nothing that looks like a secret.
func secretIn(path string) (string, error) {
	file, err := openfile.OpenItself(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, openfile.ErrNotRegular) {
		return "", nil // it is gone, or something else has taken its place
	}
	if err != nil {
		return "", err
	}
	defer file.Close()
	in := bufio.NewReaderSize(io.LimitReader(file, maxFile), piece)
	for {
		text, err := in.Peek(piece)
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("reading %q: %w", path, err)
		}
		for _, k := range kinds() {
			if k.shape.Match(text) {
				return k.what, nil
			}
		}
		if len(text) < piece {
			return "", nil
		}
		if _, err := in.Discard(piece - overlap); err != nil {
			return "", fmt.Errorf("reading %q: %w", path, err)
		}
	}
}
