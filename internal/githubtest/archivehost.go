package githubtest

import (
	"fmt"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// AddArchive offers an archive. The last one added for a platform is what downloads list; earlier ones stay where they
// are, as releases do.
func (s archiveHost) AddArchive(a *Archive) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.archives = append(s.archives, a)
	s.downloads[appliancePath(a)] = s.remember(newJWTLike(`{"scp":"download"}`))
	s.notify()
}

// SetDigest makes the server tell a digest other than the true one for a platform; "" makes it tell none.
func (s archiveHost) SetDigest(platform, digest string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.digests[platform] = digest
}

// digestOf is the digest the server tells, if it tells one.
func (st *state) digestOf(a *Archive) (string, bool) {
	if told, changed := st.digests[a.Platform]; changed {
		return told, told != ""
	}
	return a.SHA256, true
}

// listedArchives are the last ones added, one for each platform.
func (st *state) listedArchives() []*Archive {
	var out []*Archive
	for _, a := range st.archives {
		out = slices.DeleteFunc(out, func(b *Archive) bool { return a.Platform == b.Platform })
		out = append(out, a)
	}
	return out
}

// releasePath is where github.com keeps an archive, open to all.
func releasePath(a *Archive) string {
	return "/actions/runner/releases/download/v" + a.Version + "/" + a.Filename
}

// appliancePath is where a GitHub Enterprise Server keeps it, behind a token of its own.
func appliancePath(a *Archive) string {
	return "/_services/pipelines/_apis/distributedtask/packagedownload/agent/" + a.Platform + "/" + a.Version
}

func listDownloads(c *call) answer {
	out := []map[string]string{}
	for _, a := range c.s.listedArchives() {
		system, arch, _ := strings.Cut(a.Platform, "-")
		entry := map[string]string{
			"os": system, "architecture": arch, "filename": a.Filename,
			"download_url": c.s.archiveOrigin(c.Request) + releasePath(a),
		}
		if digest, told := c.s.digestOf(a); told {
			entry["sha256_checksum"] = digest
		}
		if c.root == rootGHES {
			entry["download_url"] = c.s.archiveOrigin(c.Request) + appliancePath(a)
			entry["temp_download_token"] = c.s.downloads[appliancePath(a)]
		}
		out = append(out, entry)
	}
	return ok(out)
}

// archiveOrigin is the address of the archive host for the one who sent r to the API host.
func (s archiveHost) archiveOrigin(r *http.Request) string {
	return s.scheme + "://" + reachable(s.archAddr, r.Host)
}

// archiveHandler is a plain file server on a host of its own, so that a header that strays there is seen. Besides the
// two addresses GitHub hands out it serves /FILE and /vVERSION/FILE, as a mirror would.
func (s archiveHost) archiveHandler() http.Handler {
	root := func(r *http.Request) (string, string) { return rootArchive, r.URL.Path }
	files := http.HandlerFunc(s.serveArchive)
	return s.recorded(root, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.withFaults("archive", r.URL.Path, files).ServeHTTP(w, r)
	}))
}

func (s archiveHost) serveArchive(w http.ResponseWriter, r *http.Request) {
	a, token := s.archiveAt(r.URL.Path)
	if a == nil || (r.Method != http.MethodGet && r.Method != http.MethodHead) {
		s.Report(fmt.Errorf("unexpected request to the archive host: %s %s", r.Method, r.URL.Path))
		http.NotFound(w, r)
		return
	}
	if token != "" && bearer(r.Header.Get("Authorization")) != token {
		http.NotFound(w, r)
		return
	}
	body, err := a.Open()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer func() {
		if err := body.Close(); err != nil {
			s.Report(fmt.Errorf("closing archive %q: %w", a.Filename, err))
		}
	}()
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", "attachment; filename="+strconv.Quote(a.Filename))
	w.Header().Set("ETag", strconv.Quote(a.SHA256[:16]))
	http.ServeContent(w, r, a.Filename, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), body)
}

// archiveAt finds the archive of a path, and the token that opens it if one is needed.
func (s archiveHost) archiveAt(at string) (*Archive, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range slices.Backward(s.archives) {
		switch at {
		case releasePath(a), path.Join("/", a.Filename), path.Join("/", "v"+a.Version, a.Filename):
			return a, ""
		case appliancePath(a):
			return a, s.downloads[at]
		}
	}
	return nil, ""
}
