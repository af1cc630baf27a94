package register

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/openfile"
	"github.com/runner-bootstrap/runner-bootstrap/internal/removal"
)

// ErrNotConfigured means that a runner root holds no registration.
var ErrNotConfigured = errors.New("the runner is not configured")

// maxFile bounds what is read of a file that a job could have written.
const maxFile = 1 << 20

// byteOrderMark begins the files that .NET writes.
const byteOrderMark = "\xef\xbb\xbf"

// Settings is what a configured runner knows of itself: its file .runner, or
// .runner_migrated, which takes precedence (actions/runner, ConfigurationStore).
type Settings struct {
	ID        int64
	Name      string
	URL       string // of the scope; empty for a runner from a JIT configuration
	Work      string
	Ephemeral bool
}

// ReadSettings reads the registration in root; [ErrNotConfigured] if there is
// none, or but half of one: a listener that is killed while it deletes it leaves
// .runner without its credentials.
func ReadSettings(root string) (Settings, error) {
	for _, name := range []string{".runner_migrated", ".runner"} {
		text, err := ReadFile(root, name)
		// What a job has put in its place is no registration: the runner does not see a folder.
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, openfile.ErrNotRegular) {
			continue
		}
		if err != nil {
			return Settings{}, fmt.Errorf("reading the registration in %q: %w", root, err)
		}
		settings, err := parseSettings(text)
		if err != nil {
			return Settings{}, fmt.Errorf("reading the registration in %q: %s: %w", root, name, err)
		}
		if !hasCredentials(root) {
			return Settings{}, ErrNotConfigured
		}
		return settings, nil
	}
	return Settings{}, ErrNotConfigured
}

// hasCredentials tells whether what the runner speaks to GitHub with is there, or
// could be: what cannot be looked at counts as there.
func hasCredentials(root string) bool {
	tree, err := os.OpenRoot(root)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	defer tree.Close()
	for _, name := range []string{".credentials", ".credentials_migrated"} {
		if _, err := tree.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
			return true
		}
	}
	return false
}

// parseSettings takes both forms: config.sh writes camelCase after a byte
// order mark, a JIT configuration has PascalCase and every value as a string.
func parseSettings(text []byte) (Settings, error) {
	text = bytes.TrimPrefix(text, []byte(byteOrderMark))
	var fields map[string]any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&fields); err != nil {
		return Settings{}, fmt.Errorf("not JSON: %w", err)
	}
	value := map[string]string{}
	for key, v := range fields {
		if v != nil {
			value[strings.ToLower(key)] = fmt.Sprint(v)
		}
	}
	id, err := strconv.ParseInt(value["agentid"], 10, 64)
	if err != nil {
		return Settings{}, fmt.Errorf("agentId %q is not a number", value["agentid"])
	}
	return Settings{
		ID: id, Name: value["agentname"], URL: value["githuburl"], Work: value["workfolder"],
		Ephemeral: strings.EqualFold(value["ephemeral"], "true"),
	}, nil
}

// ReadFile reads a small regular file in a runner root. The root belongs to the
// account that jobs run as, so the name may have become a link or a pipe: it
// is not followed out of the root, and never waited for.
func ReadFile(root, name string) ([]byte, error) {
	tree, err := os.OpenRoot(root)
	if err != nil {
		return nil, err
	}
	defer tree.Close()
	return openfile.ReadIn(tree, name, maxFile)
}

// credentialFiles are the files of a registration. The _migrated ones are made
// by newer runners; one that stays behind breaks the next registration.
func credentialFiles() []string {
	return []string{
		".runner", ".runner_migrated",
		".credentials", ".credentials_migrated", keyFile,
	}
}

// Forget deletes the local registration, as `config.sh remove --local` does.
// GitHub is not told. Repeating it is harmless.
func Forget(root string) error {
	if err := RemoveFiles(root, credentialFiles()...); err != nil {
		return fmt.Errorf("deleting the local registration: %w", err)
	}
	return nil
}

// RemoveFiles removes files of a runner root, which belongs to the account that jobs run
// as: a folder that a job has put in the place of one goes with all that is in it. What is
// gone already is a success, the root too.
func RemoveFiles(root string, names ...string) error {
	tree, err := os.OpenRoot(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer tree.Close()
	for _, name := range names {
		err = errors.Join(err, vacate(tree, name))
	}
	return err
}

// vacate removes what has a name in a runner's directory, whatever a job has made of it.
func vacate(tree *os.Root, name string) error {
	err := tree.Remove(name)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return removal.Tree(tree, name)
}
