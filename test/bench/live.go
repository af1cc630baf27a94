package main

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
)

// livePrefix begins the names of folders in the fixture's, one for each archive of
// liveArchive.
const livePrefix = "live-"

// scope is what runners of the tables install and next-job belong to.
const scope = "octo-org"

// live is a simulated GitHub which offers a runner of the official size that works:
// the fixture's files, with the simulator's programs in the place of what does nothing.
type live struct {
	server  *githubtest.Server
	archive fixtureFile
	url     string // of the archive
	token   string // file with an access token
}

// openLive serves it until its server is closed. Dir is for the token.
func (b *bench) openLive(ctx context.Context, dir string) (*live, error) {
	archive, err := liveArchive(ctx, b.fixtureDir(), b.fixture)
	if err != nil {
		return nil, fmt.Errorf("making an archive that works: %w", err)
	}
	content, err := os.ReadFile(archive.Path)
	if err != nil {
		return nil, err
	}
	offered := githubtest.ArchiveOf(platform(), version, content)
	archive.SHA256 = offered.SHA256
	server, err := githubtest.Start(githubtest.Config{Archive: offered})
	if err != nil {
		return nil, err
	}
	g := &live{server: server, archive: archive, token: filepath.Join(dir, "token")}
	if err := os.WriteFile(g.token, []byte(server.Token()), 0o600); err != nil {
		return nil, errors.Join(err, server.Close())
	}
	if g.url, err = g.findArchive(ctx); err != nil {
		return nil, errors.Join(err, server.Close())
	}
	return g, nil
}

// scopeURL is what a runner is registered with.
func (g *live) scopeURL() string { return g.server.URL() + "/" + scope }

// findArchive asks for the address that the shell is given by GitHub's web page.
func (g *live) findArchive(ctx context.Context) (string, error) {
	at := g.server.APIURL() + "/orgs/" + scope + "/actions/runners/downloads"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, http.NoBody)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+g.server.Token())
	req.Header.Set("User-Agent", "bench")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", fmt.Errorf("asking for the archive: %w", err)
	}
	defer resp.Body.Close()
	var offers []struct {
		Filename string `json:"filename"`
		URL      string `json:"download_url"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&offers); err != nil {
		return "", fmt.Errorf("asking for the archive: %s: %w", resp.Status, err)
	}
	for _, offer := range offers {
		if offer.Filename == g.archive.Name {
			return offer.URL, nil
		}
	}
	return "", fmt.Errorf("asking for the archive: %q is not offered", g.archive.Name)
}

// fixtureDir is where archives are kept from one run to the next.
func (b *bench) fixtureDir() string { return filepath.Dir(b.fixture.Tar.Path) }

// liveArchive makes the archive in dir unless it is there: its folder is named after
// what is in it, and appears by rename.
func liveArchive(ctx context.Context, dir string, f *fixture) (archive fixtureFile, err error) {
	building, err := os.MkdirTemp(dir, "building-")
	if err != nil {
		return archive, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(building)) }()
	listener, err := githubtest.BuildListener(ctx, building, "linux", runtime.GOARCH)
	if err != nil {
		return archive, err
	}
	small, err := githubtest.NewArchive(githubtest.ArchiveSpec{Platform: platform(), Version: version, Listener: listener})
	if err != nil {
		return archive, err
	}
	folder := filepath.Join(dir, livePrefix+small.SHA256[:12]+"-"+f.Tar.SHA256[:12])
	archive = f.Tar
	archive.Path = filepath.Join(folder, f.Tar.Name)
	if _, err := os.Stat(archive.Path); err == nil {
		return archive, nil
	}
	say("making an archive of the official size that works, once")
	if err := removeOld(dir); err != nil {
		return archive, err
	}
	if err := merge(ctx, filepath.Join(building, f.Tar.Name), f.Tar.Path, small); err != nil {
		return archive, err
	}
	if err := os.Remove(listener); err != nil {
		return archive, err
	}
	return archive, os.Rename(building, folder)
}

// removeOld removes the archives of other listeners.
func removeOld(dir string) error {
	old, err := filepath.Glob(filepath.Join(dir, livePrefix+"*"))
	if err != nil {
		return err
	}
	for _, folder := range old {
		err = errors.Join(err, os.RemoveAll(folder))
	}
	return err
}

// merge writes the files of an archive to path, but for those that the small one has,
// and then the small one's.
func merge(ctx context.Context, path, large string, small *githubtest.Archive) (err error) {
	names := map[string]bool{}
	if err := eachEntry(small.Open, func(header *tar.Header, _ io.Reader) error {
		names[strings.TrimSuffix(header.Name, "/")] = true
		return nil
	}); err != nil {
		return err
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	buffered := bufio.NewWriterSize(file, 1<<20)
	packed := gzip.NewWriter(buffered)
	out := tar.NewWriter(packed)
	put := func(header *tar.Header, content io.Reader) error {
		if err := errors.Join(ctx.Err(), out.WriteHeader(header)); err != nil {
			return err
		}
		_, err := io.Copy(out, content)
		return err
	}
	err = eachEntry(func() (io.ReadSeekCloser, error) { return os.Open(large) }, func(header *tar.Header, content io.Reader) error {
		if header.Typeflag != tar.TypeDir && names[header.Name] {
			return nil
		}
		// The program looks for what libraries need, and those of the fixture need what no runner does.
		header.Name = strings.ReplaceAll(header.Name, ".so", ".dll")
		return put(header, content)
	})
	if err == nil {
		err = eachEntry(small.Open, put)
	}
	return errors.Join(err, out.Close(), packed.Close(), buffered.Flush())
}

// eachEntry reads a compressed archive from its start.
func eachEntry(open func() (io.ReadSeekCloser, error), do func(*tar.Header, io.Reader) error) error {
	file, err := open()
	if err != nil {
		return err
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(bufio.NewReaderSize(file, 1<<20))
	if err != nil {
		return err
	}
	archive := tar.NewReader(unzipped)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = do(header, archive)
		}
		if err != nil {
			return err
		}
	}
}
