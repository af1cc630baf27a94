//go:build unix

package control

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Sweep removes the sockets in a folder on which nobody answers any more, as killed agents leave them, and the folder when
// nothing is in it. It may be repeated; a folder that is not there is as good.
func Sweep(ctx context.Context, folder string) error {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("sweeping the control sockets: %w", err)
	}
	left := 0
	for _, entry := range entries {
		path := filepath.Join(folder, entry.Name())
		if entry.Type() != os.ModeSocket || !dead(ctx, path) {
			left++
			continue
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("sweeping the control sockets: %w", err)
		}
	}
	if left > 0 {
		return nil
	}
	if err := os.Remove(folder); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("sweeping the control sockets: %w", err)
	}
	return nil
}

// dead tells whether nobody listens at a socket.
func dead(ctx context.Context, path string) bool {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := dial(ctx, path)
	if err == nil {
		_ = conn.Close() // it was only to see whether somebody is there
	}
	return errors.Is(err, ErrNoAgent)
}
