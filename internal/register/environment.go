package register

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/inuse"
	"github.com/runner-bootstrap/runner-bootstrap/internal/openfile"
	"github.com/runner-bootstrap/runner-bootstrap/internal/removal"
)

// WriteEnvironment makes the runner's .env hold every variable of want
// ("KEY=VALUE") and none of drop, and tells whether it had to change. The listener
// loads that file at each start and gives it to jobs. Lines for other variables
// stay, and so does one that somebody has given another value than drop has. It
// is replaced by rename, private to the runner's account, and may be repeated.
func WriteEnvironment(root string, owner account.User, want, drop []string) (changed bool, err error) {
	before, after, err := environment(root, want, drop)
	if err != nil || bytes.Equal(before, after) {
		return false, err
	}
	if err := WriteFile(root, ".env", after, owner); err != nil {
		return false, fmt.Errorf("writing the runner's .env: %w", err)
	}
	return true, nil
}

// EnvironmentDiffers tells whether [WriteEnvironment] would change anything.
func EnvironmentDiffers(root string, want, drop []string) (bool, error) {
	before, after, err := environment(root, want, drop)
	return !bytes.Equal(before, after), err
}

// ReadEnvironment reads the runner's .env: nothing where there is none, or a job has put something else than a file into its
// place.
func ReadEnvironment(root string) ([]byte, error) {
	text, err := ReadFile(root, ".env")
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, openfile.ErrNotRegular) {
		return nil, fmt.Errorf("reading the runner's .env: %w", err)
	}
	return text, nil
}

// VariableNames are the names of variables ("KEY=VALUE"). They leave out the values, which may be secrets of the jobs'.
func VariableNames(variables []string) []string {
	names := make([]string, 0, len(variables))
	for _, variable := range variables {
		name, _, _ := strings.Cut(variable, "=")
		names = append(names, name)
	}
	return names
}

func environment(root string, want, drop []string) (before, after []byte, err error) {
	if before, err = ReadEnvironment(root); err != nil {
		return nil, nil, err
	}
	after, err = mergeEnvironment(before, want, drop)
	return before, after, err
}

// mergeEnvironment changes nothing where nothing has to change, not even a
// blank line.
func mergeEnvironment(before []byte, want, drop []string) ([]byte, error) {
	lines := strings.Split(strings.TrimRight(string(before), "\n"), "\n")
	lines = slices.DeleteFunc(lines, func(line string) bool { return line == "" })
	all := len(lines)
	lines = slices.DeleteFunc(lines, func(line string) bool { return slices.Contains(drop, line) })
	changed := len(lines) < all
	for _, variable := range want {
		key, _, found := strings.Cut(variable, "=")
		if !found || key == "" || strings.ContainsAny(variable, "\r\n\x00") {
			return nil, fmt.Errorf("writing variable %q into .env: not KEY=VALUE in one line", key)
		}
		there := false
		for i, line := range lines {
			if strings.HasPrefix(line, key+"=") {
				there, changed = true, changed || line != variable
				lines[i] = variable
			}
		}
		if !there {
			lines, changed = append(lines, variable), true
		}
	}
	if !changed {
		return before, nil
	}
	if len(lines) == 0 {
		return nil, nil
	}
	return []byte(strings.Join(lines, "\n") + "\n"), nil
}

// FileOwner is who the files in a runner's directory belong to that jobs only read: root with the group of the account,
// where the runner's own files are root's as well.
func FileOwner(record instance.Record, user account.User) account.User {
	if record.Rooted() && !user.Self {
		return user.AsRoot()
	}
	return user
}

// WriteFile replaces a file of a runner root, which belongs to the account that
// jobs run as: a link, a pipe or a folder that a job has put there is replaced, not written
// through.
func WriteFile(root, name string, text []byte, owner account.User) error {
	tree, err := os.OpenRoot(root)
	if err != nil {
		return err
	}
	defer tree.Close()
	return writeIn(tree, name, text, owner, true)
}

// writeIn does so in a runner root that is open. What need not outlive a power cut is
// not waited for.
func writeIn(tree *os.Root, name string, text []byte, owner account.User, durable bool) error {
	temporary := name + ".new"
	if err := vacate(tree, temporary); err != nil {
		return err
	}
	file, err := tree.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err == nil {
		err = owner.OwnFile(file)
	}
	if err == nil && !owner.Self && owner.Root() {
		err = file.Chmod(0o640)
	}
	if err == nil && durable {
		err = file.Sync()
	}
	err = errors.Join(err, file.Close())
	if err == nil {
		err = replace(tree, temporary, name)
	}
	if err != nil {
		return errors.Join(err, tree.Remove(temporary))
	}
	return nil
}

// replace renames a file. A folder in its place would keep it from that.
func replace(tree *os.Root, temporary, name string) error {
	err := inuse.RenameIn(tree, temporary, name)
	if info, lookErr := tree.Lstat(name); err == nil || lookErr != nil || !info.IsDir() {
		return err
	}
	if err := removal.Tree(tree, name); err != nil {
		return err
	}
	return inuse.RenameIn(tree, temporary, name)
}
