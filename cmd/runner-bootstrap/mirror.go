package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/textproto"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/runner-bootstrap/runner-bootstrap/internal/openfile"
	"github.com/runner-bootstrap/runner-bootstrap/internal/retry"
)

// mirrorHeaders adds the headers of a file to requests to a mirror; nil without a file. The file is read for each request, as
// the token in it may be replaced: what is wrong with it is what that request fails with.
func mirrorHeaders(file string) func(*http.Request) error {
	if file == "" {
		return nil
	}
	read := &headerFile{name: file}
	return func(req *http.Request) error {
		headers, err := read.headers(req.Context())
		if err != nil {
			return err
		}
		for name, values := range headers {
			req.Header[name] = values
		}
		return nil
	}
}

// headerFile is a file of headers. What a program writes into a pipe can be read once, and is kept.
type headerFile struct {
	name string

	mu   sync.Mutex
	kept http.Header
}

func (f *headerFile) headers(ctx context.Context) (http.Header, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if info, err := os.Stat(f.name); err == nil && !info.Mode().IsRegular() && f.kept != nil {
		return f.kept, nil
	}
	headers, err := readHeaders(ctx, f.name)
	if err == nil {
		f.kept = headers
	}
	return headers, err
}

// readHeaders reads lines of a name, a colon and a value. No error shows a value.
func readHeaders(ctx context.Context, file string) (http.Header, error) {
	text, err := openfile.ReadStream(ctx, file, maxSecret)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, fmt.Errorf("--mirror-header-file: nothing comes from %q: %w", file, retry.Plain(ctx.Err()))
	case err != nil:
		return nil, unread(err, "--mirror-header-file: %v", err)
	}
	headers := http.Header{}
	lines := bufio.NewScanner(strings.NewReader(decoded(text)))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, found := strings.Cut(line, ":")
		name, value = textproto.CanonicalMIMEHeaderKey(name), strings.TrimSpace(value)
		if reason := badHeader(name, value, found, headers); reason != "" {
			return nil, usagef("--mirror-header-file: %q: line %d %s", file, n, reason)
		}
		headers.Add(name, value)
	}
	if err := lines.Err(); err != nil {
		return nil, usagef("--mirror-header-file: %v", err)
	}
	if len(headers) == 0 {
		return nil, notYet("--mirror-header-file: %q: it has no header", file)
	}
	return headers, nil
}

// badHeader says what is wrong with a line, beside those that were read before; empty for nothing.
func badHeader(name, value string, found bool, before http.Header) string {
	ours := []string{
		"Accept-Encoding", "Connection", "Content-Length", "Expect", "Host", "If-Range", "Proxy-Authorization", "Range", "Te", "Trailer",
		"Transfer-Encoding", "Upgrade",
	}
	switch {
	case !found || value == "" || !isHeaderName(name):
		return "is no header such as Authorization: Bearer TOKEN"
	case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }):
		return "has a control character, which no header may have"
	case len(value) > 1 && value[0] == value[len(value)-1] && strings.ContainsRune(`"'`, rune(value[0])):
		return "has quotes around its value, which would be sent as well"
	case slices.Contains(ours, name):
		return "sets " + name + ", which belongs to the download itself"
	case before.Get(name) != "":
		return "sets " + name + " once more"
	}
	return ""
}

func isHeaderName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
}

// hintDenied shows a mirror who asks.
func hintDenied(call *session, err error) string {
	if optionsOf[sourceOptions](call).mirror == "" {
		return same(call, err)
	}
	return againWith(call, "--mirror-header-file", "FILE")
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
