package main

import (
	"archive/zip"
	"compress/flate"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// packZip packs dir as .NET does: deflated files without Unix modes, and no
// entries for directories that have files.
func packZip(dir, target string) error {
	file, err := os.Create(target)
	if err != nil {
		return err
	}
	archive := zip.NewWriter(file)
	archive.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) {
		return flate.NewWriter(w, 6)
	})
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		return addToZip(archive, path, filepath.ToSlash(name))
	})
	return errors.Join(err, archive.Close(), file.Close())
}

func addToZip(archive *zip.Writer, path, name string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	entry, err := archive.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate})
	if err != nil {
		return err
	}
	_, err = io.Copy(entry, file)
	return err
}

func countZip(f *fixtureFile, file *os.File) error {
	archive, err := zip.NewReader(file, f.Packed)
	if err != nil {
		return err
	}
	for _, entry := range archive.File {
		f.Files++
		f.Unpacked += int64(entry.UncompressedSize64) //nolint:gosec // we packed it
	}
	return nil
}

// unzipCommand unpacks an archive with the decoder of the product or with the
// standard library's.
func unzipCommand(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("unzip", flag.ContinueOnError)
	file := flags.String("file", "", "the archive")
	dir := flags.String("dir", "", "an empty directory")
	standard := flags.Bool("standard", false, "with the standard library")
	workers := flags.Int("workers", 2, "how many files at once")
	if err := flags.Parse(args); err != nil {
		return err
	}
	archive, err := os.Open(*file)
	if err != nil {
		return err
	}
	defer archive.Close()
	info, err := archive.Stat()
	if err != nil {
		return err
	}
	if !*standard {
		return productUnzip(ctx, archive, info.Size(), *dir, *workers)
	}
	reader, err := zip.NewReader(archive, info.Size())
	if err != nil {
		return err
	}
	return standardUnzip(reader, *dir, *workers)
}

// standardUnzip is the least that unpacks an archive that one trusts: the
// directories, then the files by several workers.
func standardUnzip(archive *zip.Reader, dir string, workers int) error {
	for _, entry := range archive.File {
		if !filepath.IsLocal(filepath.FromSlash(entry.Name)) {
			return fmt.Errorf("unpacking %q: it lies outside", entry.Name)
		}
		parent := filepath.Dir(filepath.Join(dir, filepath.FromSlash(entry.Name)))
		if err := os.MkdirAll(parent, 0o755); err != nil {
			return err
		}
	}
	entries := make(chan *zip.File, len(archive.File))
	for _, entry := range archive.File {
		if !strings.HasSuffix(entry.Name, "/") {
			entries <- entry
		}
	}
	close(entries)
	failures := make(chan error, workers)
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			buffer := make([]byte, 256<<10)
			for entry := range entries {
				if err := standardEntry(entry, filepath.Join(dir, filepath.FromSlash(entry.Name)), buffer); err != nil {
					failures <- fmt.Errorf("unpacking %q: %w", entry.Name, err)
					return
				}
			}
		})
	}
	all.Wait()
	close(failures)
	return <-failures
}

func standardEntry(entry *zip.File, path string, buffer []byte) error {
	content, err := entry.Open()
	if err != nil {
		return err
	}
	defer content.Close()
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	// The file's own ReadFrom would take a smaller buffer than ours.
	_, err = io.CopyBuffer(struct{ io.Writer }{file}, content, buffer) //nolint:gosec // the archive is ours
	return errors.Join(err, file.Close())
}
