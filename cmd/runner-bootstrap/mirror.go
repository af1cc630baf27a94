package main

import (
	"bufio"
	"context"
	"net/http"
	"net/textproto"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/openfile"
)

// mirrorHeaders adds the headers of a file to requests to a mirror; nil without a file. The file is read for each request, as
// the token in it may be replaced: what is wrong with it is what that request fails with.
func mirrorHeaders(file string) func(*http.Request) error {
	if file == "" {
		return nil
	}
	return func(req *http.Request) error {
		headers, err := readHeaders(req.Context(), file)
		if err != nil {
			return err
		}
		for name, values := range headers {
			req.Header[name] = values
		}
		return nil
	}
}

// readHeaders reads lines of a name, a colon and a value. No error shows a value.
func readHeaders(ctx context.Context, file string) (http.Header, error) {
	text, err := openfile.ReadStream(ctx, file, maxSecret)
	if err != nil {
		return nil, unread(err, "--mirror-header-file: %v", err)
	}
	headers := http.Header{}
	lines := bufio.NewScanner(strings.NewReader(strings.TrimPrefix(string(text), "\ufeff")))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, found := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		if !found || value == "" || !isHeaderName(name) {
			return nil, usagef("--mirror-header-file: %q: line %d is no header such as Authorization: Bearer TOKEN", file, n)
		}
		headers.Add(textproto.CanonicalMIMEHeaderKey(name), value)
	}
	if err := lines.Err(); err != nil {
		return nil, usagef("--mirror-header-file: %v", err)
	}
	return headers, nil
}

func isHeaderName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
}

// hintBring takes the runner from a file, where neither the server nor github.com gives it.
func hintBring(call *session, _ error) string {
	if optionsOf[sourceOptions](call).sha256 != "" {
		return againWith(call, "--archive", "FILE")
	}
	return againWith(call, "--archive", "FILE", "--sha256", "HEX")
}

// bringing says how a runner comes to a host that has no way to github.com.
const bringing = "bring the archive from https://github.com/actions/runner/releases to this host, " +
	"or name a folder of a server that has it with --mirror URL"
