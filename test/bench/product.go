package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download/unpack"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download/unpack/naming"
)

// product is the runner-bootstrap that is measured.
type product struct {
	path    string
	lacking string // why it cannot be measured, if it cannot
}

// findProduct takes the program at path, or builds this module's into dir.
func findProduct(ctx context.Context, path, dir string) (product, error) {
	if path == "" {
		path = filepath.Join(dir, "runner-bootstrap")
		build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", path,
			"github.com/runner-bootstrap/runner-bootstrap/cmd/runner-bootstrap")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		ownGroup(build)
		if text, err := build.CombinedOutput(); err != nil {
			return product{}, fmt.Errorf("building runner-bootstrap: %w: %s", err, text)
		}
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return product{}, err
	}
	p := product{path: path}
	help := exec.CommandContext(ctx, path, "prepare", "--help")
	ownGroup(help)
	text, err := help.CombinedOutput()
	switch {
	case ctx.Err() != nil:
		return p, ctx.Err()
	case err != nil || !strings.Contains(string(text), "--mirror"):
		p.lacking = "this runner-bootstrap has no prepare --mirror"
	}
	return p, nil
}

// cloneCommand does what the program does for one more runner on a host whose
// cache is filled, and nothing else of what it does: with -count 0 it fills the
// cache from an archive on this host.
func cloneCommand(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("clone", flag.ContinueOnError)
	cache := flags.String("cache", "", "directory of the cache")
	archive := flags.String("archive", "", "the runner's archive")
	sum := flags.String("sha256", "", "its digest")
	to := flags.String("to", "", "directory for the runners")
	count := flags.Int("count", 0, "how many runners")
	if err := flags.Parse(args); err != nil {
		return err
	}
	platform, version, ok := download.ParseFilename(filepath.Base(*archive))
	if !ok {
		return fmt.Errorf("%q is not named as a runner's archive", *archive)
	}
	asset := download.Asset{
		Platform: platform, Version: version, Filename: filepath.Base(*archive), File: *archive, SHA256: *sum,
	}
	fetcher := &download.Fetcher{Cache: download.Cache{Dir: *cache}}
	silent := func(int64, int64) {}
	if *count == 0 {
		_, _, err := fetcher.Fetch(ctx, asset, silent)
		return err
	}
	owner := download.Owner{Keep: true}
	if os.Geteuid() == 0 {
		owner = download.Owner{Sticky: true, GID: 65534} // as for an account that runs jobs
	}
	for i := range *count {
		root := filepath.Join(*to, fmt.Sprintf("runner-%d", i+1))
		cached, err := fetcher.Place(ctx, asset, root, owner, silent)
		if err != nil {
			return err
		}
		if !cached {
			return errors.New("the cache was not used")
		}
	}
	return nil
}

// productUnzip unpacks an archive as the program does on Windows.
func productUnzip(ctx context.Context, archive io.ReaderAt, size int64, dir string, workers int) error {
	_, err := unpack.Zip(ctx, archive, size, dir, naming.Windows, workers)
	return err
}
