package register

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/openfile"
)

// Kept is the registration of one runner as this host keeps it, where no job reaches it.
// What a runner's directory holds is a copy for the listener, which nothing else reads.
type Kept struct {
	store  *instance.Store
	record instance.Record
}

// KeptOf is the registration that is kept of a record's runner, now or later.
func KeptOf(store *instance.Store, record instance.Record) Kept {
	return Kept{store: store, record: record}
}

// Settings is what the registration says of its runner; [ErrNotConfigured] if there is none.
func (k Kept) Settings() (Settings, error) { return ReadSettings(k.folder()) }

// Find is [Kept.Settings], or what an earlier version of this program has left in the
// runner's directory alone. Jobs could have changed that: it counts only as far as it
// says what the record says, and nothing of it is taken for a fact.
func (k Kept) Find() (Settings, error) {
	kept, err := k.files().Known()
	if err != nil {
		return Settings{}, err
	}
	if kept {
		return k.Settings()
	}
	settings, err := ReadSettings(k.record.Dir)
	if err != nil || !k.fits(settings) {
		return Settings{}, ErrNotConfigured // what is there instead is a job's
	}
	return settings, nil
}

// fits tells whether settings are those of the record's runner.
func (k Kept) fits(settings Settings) bool {
	scope, err := ScopeOf(k.record)
	here := settings.URL == "" || err == nil && scope.Same(settings.URL)
	return here && settings.ID != 0 && settings.ID == k.record.RunnerID && strings.EqualFold(settings.Name, k.record.Name)
}

// Adopt keeps, once, the registration that an earlier version of this program has left in
// the runner's directory alone; see [Kept.Find]. Client asks GitHub whether it knows the
// runner under its name, where it answers; a nil client asks nobody. What is no
// registration of the record's runner is not kept, and is no error. It may be repeated.
func (k Kept) Adopt(ctx context.Context, client *github.Client) error {
	if kept, err := k.files().Known(); kept || err != nil {
		return err
	}
	settings, err := k.Find()
	if errors.Is(err, ErrNotConfigured) {
		return nil
	}
	if err != nil {
		return err
	}
	if client != nil {
		runner, err := client.Runner(ctx, settings.ID)
		if errors.Is(err, github.ErrNotFound) || err == nil && !strings.EqualFold(runner.Name, settings.Name) {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		// Where GitHub gives no answer, the record has to do: it is root's.
	}
	return k.take(k.record.Dir)
}

// take keeps what a registration has left in a folder, and nothing else of it.
func (k Kept) take(folder string) error {
	files, err := registrationIn(folder)
	if err != nil {
		return fmt.Errorf("keeping the registration of runner %q: %w", k.record.Name, err)
	}
	return k.files().Keep(files)
}

// registrationIn reads the files of a registration, by their names.
func registrationIn(folder string) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, name := range credentialFiles() {
		text, err := ReadFile(folder, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading %q: %w", name, err)
		}
		files[name] = text
	}
	return files, nil
}

// Give puts copies of the registration into the runner's directory, as files of user's,
// whatever a job has put in their places; [ErrNotConfigured] if there is none. It is
// done before each start of a listener: what a job has made of them is gone then.
//
// The runner itself changes none of them. When GitHub moves a runner to other
// servers, its listener writes .runner_migrated and .credentials_migrated beside them,
// which then count, and goes on with the others where those do not work
// (actions/runner, RunnerConfigUpdater.cs). So these two are the listener's own: they
// stay while they are of the same runner, and GitHub sends them again if they are lost.
func (k Kept) Give(user account.User) error { return k.giveTo(k.record.Dir, user) }

func (k Kept) giveTo(dir string, user account.User) error {
	settings, err := k.Settings()
	if err != nil {
		return err
	}
	tree, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("giving the runner its registration: %w", err)
	}
	defer tree.Close()
	// The one that makes it a registration comes last.
	for _, name := range slices.Backward(credentialFiles()) {
		if err := k.giveFile(tree, name, settings, user); err != nil {
			return fmt.Errorf("giving the runner its registration: %w", err)
		}
	}
	return nil
}

func (k Kept) giveFile(tree *os.Root, name string, settings Settings, user account.User) error {
	text, err := ReadFile(k.folder(), name)
	if errors.Is(err, fs.ErrNotExist) {
		if migrated(tree, name, settings, k.folder()) {
			return nil
		}
		return vacate(tree, name)
	}
	if err != nil {
		return err
	}
	if info, err := tree.Lstat(name); err == nil && info.IsDir() {
		if err := vacate(tree, name); err != nil { // a file does not take its place
			return err
		}
	}
	return writeIn(tree, name, text, user, false)
}

// migrated tells whether a file is what the listener of this very runner was told by
// GitHub later. Kept is the folder of what was kept of it before.
func migrated(tree *os.Root, name string, settings Settings, kept string) bool {
	text, err := openfile.ReadIn(tree, name, maxFile)
	if err != nil {
		return false
	}
	switch name {
	case ".runner_migrated":
		found, err := parseSettings(text)
		return err == nil && found.ID == settings.ID && strings.EqualFold(found.Name, settings.Name)
	case ".credentials_migrated":
		own, err := ReadFile(kept, ".credentials")
		id := clientID(own)
		return err == nil && id != "" && clientID(text) == id
	}
	return false
}

// clientID is whom the credentials of a runner are for; empty where they do not say.
func clientID(text []byte) string {
	var fields struct {
		Data struct {
			ClientID string `json:"clientId"`
		} `json:"data"`
	}
	if json.Unmarshal(bytes.TrimPrefix(text, []byte(byteOrderMark)), &fields) != nil {
		return ""
	}
	return fields.Data.ClientID
}

// Forget forgets the registration. The copy in the runner's directory goes as well, as
// far as a job lets it: nothing reads it any more. GitHub is not told. It may be
// repeated.
func (k Kept) Forget() error {
	if err := k.files().Drop(); err != nil {
		return err
	}
	_ = Forget(k.record.Dir) // it is removed with the directory, or before the next one is given
	return nil
}

// Room tells whether a registration could be kept.
func (k Kept) Room() error { return k.files().Room() }

func (k Kept) files() instance.KeptFiles { return instance.KeptRegistration(k.store, k.record.Name) }

func (k Kept) folder() string { return k.files().Folder() }
