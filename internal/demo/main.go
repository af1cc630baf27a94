// Command demo runs the real runner-bootstrap from an empty directory to a
// working runner and back, against a simulated GitHub, and shows every command
// with its true output. It needs no root and leaves nothing.
//
//	go run ./internal/demo
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"
)

// limit bounds the whole demonstration, compilation included.
const limit = 5 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	ctx, cancel := context.WithTimeout(ctx, limit)
	err := demonstrate(ctx)
	cancel()
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func demonstrate(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "runner-bootstrap-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	// As root, jobs run as another account, which must be able to enter.
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // it holds nothing but test data
		return err
	}
	began := time.Now()
	s, err := prepare(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.server.Close()) }()
	if err := s.play(ctx); err != nil {
		return err
	}
	if err := s.nothingLeft(filepath.Join(dir, "rb")); err != nil {
		return err
	}
	say("done in %s: one runner came, worked and went; nothing is left of it", time.Since(began).Round(100*time.Millisecond))
	return nil
}

// say prints what the demonstration itself has to say.
func say(format string, values ...any) { fmt.Printf("# "+format+"\n", values...) }
