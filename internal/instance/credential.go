package instance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/inuse"
	"github.com/runner-bootstrap/runner-bootstrap/internal/openfile"
)

const (
	credentialFile   = "credential"
	variablesFile    = "environment.json"
	registrationLock = "registration.lock"
)

// KeepCredential keeps the credential of a runner's supervisor, instead of an
// earlier one. Only the account of this process can read it.
func (s *Store) KeepCredential(name string, secret interface{ Reveal() string }) error {
	if err := replaceFile(filepath.Join(s.home(name), credentialFile), []byte(secret.Reveal())); err != nil {
		return fmt.Errorf("keeping the credential of %q: %w", name, err)
	}
	return nil
}

// KeptCredential gives what [Store.KeepCredential] kept.
func (s *Store) KeptCredential(name string) (string, error) {
	text, err := openfile.Read(filepath.Join(s.home(name), credentialFile), maxRecord)
	if err != nil {
		return "", fmt.Errorf("reading the kept credential of %q: %w", name, err)
	}
	return string(text), nil
}

// DropCredential forgets the kept credential. None there is a success.
func (s *Store) DropCredential(name string) error {
	if err := inuse.Remove(filepath.Join(s.home(name), credentialFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forgetting the credential of %q: %w", name, err)
	}
	return nil
}

// KeepVariables keeps what the runner's .env is to hold ("KEY=VALUE"), for a new
// copy of the runner: they may be secrets of the jobs'.
func (s *Store) KeepVariables(name string, variables []string) error {
	text, err := json.Marshal(variables)
	if err == nil {
		err = replaceFile(filepath.Join(s.home(name), variablesFile), text)
	}
	if err != nil {
		return fmt.Errorf("keeping the variables of %q: %w", name, err)
	}
	return nil
}

// KeptVariables gives what [Store.KeepVariables] kept; nothing if that is nothing.
func (s *Store) KeptVariables(name string) ([]string, error) {
	text, err := openfile.Read(filepath.Join(s.home(name), variablesFile), maxRecord)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var variables []string
	if err == nil {
		err = json.Unmarshal(text, &variables)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the variables of %q: %w", name, err)
	}
	return variables, nil
}

// LockRegistration takes the lock under which the registration of a runner, on
// this host and at GitHub, is changed. It waits for the process that holds it, be it the
// config.sh of a killed process, until ctx ends.
func (s *Store) LockRegistration(ctx context.Context, name string) (*Lock, error) {
	for {
		lock, err := acquire(ctx, filepath.Join(s.home(name), registrationLock), fmt.Sprintf("the registration of %q", name))
		if !errors.Is(err, ErrLocked) {
			return lock, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(lockEach):
		}
	}
}

// Update changes the record called name by what change does to it. The
// supervisor and an install may do so at the same time: each changes what it has
// decided, and nothing of the other's is lost.
func (s *Store) Update(ctx context.Context, name string, change func(*Record)) (Record, error) {
	lock, err := acquire(ctx, filepath.Join(s.home(name), recordLock), fmt.Sprintf("the record of %q", name))
	for errors.Is(err, ErrLocked) && ctx.Err() == nil {
		// Held for a moment, by whatever process.
		lock, err = acquire(ctx, filepath.Join(s.home(name), recordLock), fmt.Sprintf("the record of %q", name))
	}
	if err != nil {
		return Record{}, err
	}
	defer lock.Release()
	record, err := s.Load(name)
	if err != nil {
		return Record{}, err
	}
	change(&record)
	return record, s.Save(record)
}
