package main

import (
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
)

// sim offer VERSION: from now on downloads list this version for this host.
func simOffer(w *world, _ *testscript.TestScript, args []string) error {
	host, err := download.Host()
	if err != nil {
		return err
	}
	archive, err := githubtest.NewArchive(githubtest.ArchiveSpec{Platform: host.String(), Version: args[0], Listener: w.listener})
	if err != nil {
		return err
	}
	w.server.AddArchive(archive)
	return nil
}

// sim release NOTES ASSET: the digests that releases tell; - for none.
func simRelease(w *world, _ *testscript.TestScript, args []string) error {
	host, err := download.Host()
	if err != nil {
		return err
	}
	for i := range args {
		if args[i] == "-" {
			args[i] = ""
		}
	}
	w.server.SetReleaseDigests(host.String(), githubtest.ReleaseDigests{Notes: args[0], Asset: args[1]})
	return nil
}

// sim published VERSION DAYS: the version was released so many days ago.
func simPublished(w *world, _ *testscript.TestScript, args []string) error {
	at, err := inDays("-" + args[1])
	w.server.SetPublished(args[0], at)
	return err
}

// sim schedule VERSION REGISTRATION RUNTIME: days from now; - for no end.
func simSchedule(w *world, _ *testscript.TestScript, args []string) error {
	registration, err := inDays(args[1])
	if err != nil {
		return err
	}
	runtime, err := inDays(args[2])
	w.server.SetSchedule(args[0], registration, runtime)
	return err
}

func inDays(word string) (time.Time, error) {
	if word == "-" {
		return time.Time{}, nil
	}
	days, err := strconv.ParseFloat(word, 64)
	return time.Now().Add(time.Duration(days * 24 * float64(time.Hour))), err
}

// sim archive DIR: puts a copy of the first archive, 2.337.0, into DIR, sets
// $FILE to its path, and $DIGEST to its SHA-256.
func simArchive(w *world, ts *testscript.TestScript, args []string) error {
	dir := ts.MkAbs(args[0])
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	in, err := w.offered.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	data, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, w.offered.Filename)
	ts.Setenv("FILE", path)
	ts.Setenv("DIGEST", w.offered.SHA256)
	return os.WriteFile(path, data, 0o644)
}
