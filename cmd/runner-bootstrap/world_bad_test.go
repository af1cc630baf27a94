package main

import (
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

const (
	// endless is how much a server sends that does not stop by itself, and enough
	// is how much of that may be taken: what the program reads, and what the sockets
	// hold.
	endless = 1 << 30
	enough  = 48 << 20
	// bombSize is what becomes of a small answer: more than the program may read.
	bombSize = 64 << 20
)

// sim bad KIND [WORD...]: starts another server, which is not held to GitHub's
// description, and sets $BAD to its address:
//
//	answers FILE      gives the answers of FILE, see answersOf
//	portal STATUS     answers everything with a page that is not GitHub's
//	endless STATUS    answers with a body that does not end
//	bomb              answers with one that is small until it is unpacked
//	pages same|more   lists a full page of runners, the same or others each time
//	clock HOURS       takes an App's web tokens by a clock that is so far ahead
//	elsewhere         must not be asked anything
//	elsewhere open    has nothing and may be asked, but by nobody who shows a credential
func simBad(w *world, ts *testscript.TestScript, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("usage: sim bad KIND [WORD...]")
	}
	handler, err := w.badHandler(ts, args[0], args[1:])
	if err != nil {
		return err
	}
	server := httptest.NewServer(handler)
	ts.Defer(server.Close)
	ts.Setenv("BAD", server.URL)
	return nil
}

func (w *world) badHandler(ts *testscript.TestScript, kind string, words []string) (http.Handler, error) {
	word := strings.Join(words, " ")
	number, err := strconv.Atoi(word)
	switch kind {
	case "answers":
		return answersOf(ts.ReadFile(word))
	case "portal":
		return portal(number), err
	case "endless":
		return w.endless(number), err
	case "bomb":
		return w.bomb(), nil
	case "pages":
		return pages(word == "more"), nil
	case "clock":
		return clock(time.Duration(number) * time.Hour), err
	case "elsewhere":
		return w.elsewhere(word == "open"), nil
	}
	return nil, fmt.Errorf("no bad server %q", kind)
}

// answersOf reads lines of METHOD PATTERN STATUS BODY. The first line that
// matches a request answers it; nothing else is there.
func answersOf(text string) (http.Handler, error) {
	type line struct {
		method, pattern, body string
		status                int
	}
	var lines []line
	for raw := range strings.Lines(text) {
		words := strings.SplitN(strings.TrimSpace(raw), " ", 4)
		if len(words) < 4 {
			continue
		}
		status, err := strconv.Atoi(words[2])
		if err != nil {
			return nil, fmt.Errorf("reading %q: %w", raw, err)
		}
		if _, err := path.Match(words[1], "/"); err != nil {
			return nil, fmt.Errorf("reading %q: %w", raw, err)
		}
		lines = append(lines, line{method: words[0], pattern: words[1], status: status, body: words[3]})
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, l := range lines {
			if matched, err := path.Match(l.pattern, r.URL.Path); err == nil && matched && l.method == r.Method {
				answer(w, l.status, l.body)
				return
			}
		}
		answer(w, http.StatusNotFound, `{"message":"Not Found"}`)
	}), nil
}

func answer(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("X-GitHub-Request-Id", "BAD0:BAD0")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// portal is what stands between GitHub and a host that has not logged in.
func portal(status int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if status >= 300 && status < 400 {
			w.Header().Set("Location", "http://login.portal.invalid/?from="+r.URL.Path)
		}
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "<html><head><title>Please\x1b[31m log &lt;in&gt;</title></head><body>Hotel</body></html>")
	})
}

// elsewhere is another host: no credential has a place there.
func (w *world) elsewhere(open bool) http.Handler {
	return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if shown := r.Header.Get("Authorization") != ""; shown || !open {
			w.fail("%s: %s %s was asked elsewhere, with a credential: %t", w.name, r.Method, r.URL.Path, shown)
		}
		answer(out, http.StatusNotFound, `{"message":"Not Found"}`)
	})
}

// endless fails the script if more than enough of its answer is taken.
func (w *world) endless(status int) http.Handler {
	return http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
		out.Header().Set("Content-Type", "application/json")
		out.WriteHeader(status)
		_, _ = io.WriteString(out, `{"total_count":1,"message":"`)
		block, sent := bytes.Repeat([]byte("a"), 1<<20), 0
		for sent < endless {
			n, err := out.Write(block)
			if sent += n; err != nil {
				break
			}
		}
		if sent > enough {
			w.fail("%s: %d MiB of an endless answer were taken", w.name, sent>>20)
		}
	})
}

// bomb is small on its way and too long once it is unpacked, which is where the
// program has to stop.
func (w *world) bomb() http.Handler {
	return http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
		out.Header().Set("Content-Type", "application/json")
		out.Header().Set("Content-Encoding", "gzip")
		packed := gzip.NewWriter(out)
		block, sent := bytes.Repeat([]byte(" "), 1<<20), 0
		for ; sent < bombSize; sent += len(block) {
			if _, err := packed.Write(block); err != nil {
				break
			}
		}
		// The reader is gone, as it should be.
		_ = packed.Close()
	})
}

// pages lists a hundred runners on every page, the same ones or others.
func pages(more bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		number, err := strconv.Atoi(r.URL.Query().Get("page"))
		if err != nil || !more {
			number = 1
		}
		runners := make([]string, 0, 100)
		for i := range 100 {
			id := number*100 + i
			runners = append(runners, fmt.Sprintf(`{"id":%d,"name":"r-%d","os":"Linux","status":"offline","busy":false,"labels":[]}`, id, id))
		}
		answer(w, http.StatusOK, `{"total_count":100,"runners":[`+strings.Join(runners, ",")+`]}`)
	})
}

// clock is a GitHub whose clock is ahead of this host's: it takes an App's web
// tokens by its own time, and gives an installation token for them.
func clock(ahead time.Duration) http.Handler {
	var refused atomic.Int32
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		now := time.Now().Add(ahead)
		w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
		switch {
		case r.URL.Path == "/api/v3/orgs/octo-org/actions/runners":
			answer(w, http.StatusOK, fmt.Sprintf(`{"total_count":0,"runners":[{"id":1,"name":"after-%d-refusals"}]}`, refused.Load()))
		case !inTime(r, now):
			refused.Add(1)
			answer(w, http.StatusUnauthorized, `{"message":"'Expiration time' claim ('exp') must be a numeric value representing the future time"}`)
		case r.Method == http.MethodPost:
			answer(w, http.StatusCreated, fmt.Sprintf(`{"token":"ghs_bad","expires_at":%q}`, now.Add(time.Hour).UTC().Format(time.RFC3339)))
		default:
			answer(w, http.StatusOK, `{"id":7}`)
		}
	})
}

// inTime looks at the dates of a web token alone.
func inTime(r *http.Request, now time.Time) bool {
	parts := strings.Split(r.Header.Get("Authorization"), ".")
	if len(parts) != 3 {
		return false
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return false
	}
	var claims struct {
		Issued  int64 `json:"iat"`
		Expires int64 `json:"exp"`
	}
	return json.Unmarshal(raw, &claims) == nil && claims.Issued <= now.Unix() && claims.Expires > now.Unix() &&
		claims.Expires <= now.Add(10*time.Minute).Unix()
}

// sim badkey KIND FILE: something that is not a GitHub App's key.
func simBadKey(w *world, ts *testscript.TestScript, args []string) error {
	block, err := badKey(args[0])
	if err != nil {
		return err
	}
	return os.WriteFile(ts.MkAbs(args[1]), pem.EncodeToMemory(block), 0o600)
}

func badKey(kind string) (*pem.Block, error) {
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	whole, err := x509.MarshalECPrivateKey(curve)
	if err != nil {
		return nil, err
	}
	block := &pem.Block{Type: "PRIVATE KEY", Bytes: whole}
	switch kind {
	case "ec":
		block.Type = "EC PRIVATE KEY"
	case "ec-pkcs8":
		block.Bytes, err = x509.MarshalPKCS8PrivateKey(curve)
	case "ed25519":
		var key ed25519.PrivateKey
		if _, key, err = ed25519.GenerateKey(rand.Reader); err == nil {
			block.Bytes, err = x509.MarshalPKCS8PrivateKey(key)
		}
	case "public":
		block.Type = "PUBLIC KEY"
		block.Bytes, err = x509.MarshalPKIXPublicKey(&curve.PublicKey)
	case "certificate":
		block.Type = "CERTIFICATE"
		block.Bytes, err = x509.CreateCertificate(rand.Reader, &x509.Certificate{}, &x509.Certificate{}, &curve.PublicKey, curve)
	case "encrypted":
		block.Type = "RSA PRIVATE KEY"
		block.Headers = map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-256-CBC,00"}
	case "encrypted-pkcs8":
		block.Type = "ENCRYPTED PRIVATE KEY"
	case "damaged":
		block.Type, block.Bytes = "RSA PRIVATE KEY", whole[:len(whole)/2]
	default:
		return nil, fmt.Errorf("no bad key %q", kind)
	}
	return block, err
}

// astray tells of every request to the archive host that carried a credential of
// any kind, known to the simulator or not. An appliance's archives alone are
// behind one, the download token of that address, which the simulator checks.
func (w *world) astray() error {
	for _, request := range w.server.Requests() {
		if request.Root == "archive" && request.AuthScheme != "" && !strings.HasPrefix(request.Path, "/_services/pipelines/") {
			return fmt.Errorf("%s %s on the archive host carried a credential", request.Method, request.Path)
		}
	}
	return nil
}
