// Package sudoers lets an account run everything by sudo, by one file that is this program's own, and takes that away again.
package sudoers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/atomicfile"
	"github.com/runner-bootstrap/runner-bootstrap/internal/pattern"
)

// ErrRefused means that sudo would not go by a rule; nothing of it is left.
var ErrRefused = errors.New("sudo does not take the rule")

// folder is where sudo reads files whose names have no dot and no tilde at the end (sudoers(5)).
const folder = "/etc/sudoers.d"

// mode is what sudoers(5) asks for.
const mode fs.FileMode = 0o440

// Rule lets the jobs of an account run everything by sudo without a password.
type Rule struct{ Account string }

// Path is where the rule is written.
func (r Rule) Path() string { return filepath.Join(folder, "runner-bootstrap-"+r.Account) }

func (r Rule) text() []byte {
	return []byte("# Made by runner-bootstrap for --allow sudo. It is removed with the runner, unless somebody has changed it.\n" +
		r.Account + " ALL=(ALL:ALL) NOPASSWD: ALL\n")
}

// State is what there is in the place of a rule.
type State int

// The states. What is [Changed] is somebody's.
const (
	Absent State = iota
	Written
	Changed
)

// Look tells what there is in the place of the rule.
func (r Rule) Look() (State, error) {
	info, err := os.Lstat(r.Path())
	if errors.Is(err, fs.ErrNotExist) {
		return Absent, nil
	}
	if err != nil {
		return Absent, fmt.Errorf("looking at the sudo rule: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > int64(len(r.text())) {
		return Changed, nil
	}
	text, err := os.ReadFile(r.Path())
	if err != nil {
		return Absent, fmt.Errorf("reading the sudo rule: %w", err)
	}
	if !bytes.Equal(text, r.text()) {
		return Changed, nil
	}
	return Written, nil
}

// Write makes the rule, which appears as a whole and when visudo has found nothing wrong with it. A rule that sudo does not
// go by is taken away again; the error matches [ErrRefused]. It may be repeated. Where there is another file in its place,
// nothing is done.
func (r Rule) Write(ctx context.Context) error {
	if state, err := r.Look(); err != nil || state != Absent {
		return err
	}
	if err := r.sweep(); err != nil {
		return err
	}
	err := atomicfile.Write(r.Path(), r.text(), atomicfile.Options{
		Mode: mode, Durable: true, Give: func(part *os.File) error { return check(ctx, part.Name()) },
	})
	if err != nil {
		return fmt.Errorf("writing the sudo rule: %w", err)
	}
	if account.Sudoer(ctx, r.Account) {
		return nil
	}
	_, err = r.Remove()
	err = errors.Join(fmt.Errorf("%w: account %q may still run nothing by it", ErrRefused, r.Account), context.Cause(ctx), err)
	return fmt.Errorf("writing the sudo rule %q: %w", r.Path(), err)
}

// check has visudo look at a rule before sudo sees it: one mistake in its files, and sudo serves nobody. The name of a part file has
// a dot, so that sudo passes it over.
func check(ctx context.Context, part string) error {
	visudo, err := exec.LookPath("visudo")
	if err != nil {
		visudo = "/usr/sbin/visudo"
	}
	//nolint:gosec // the words are fixed, and the part file is ours
	cmd := exec.CommandContext(ctx, visudo, "-cf", part)
	cmd.Env = append(cmd.Environ(), "LC_ALL=C")
	said, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("%w: visudo: %w: %s", ErrRefused, err, bytes.TrimSpace(said))
	}
	return nil
}

// sweep removes what a killed run has left beside the rule.
func (r Rule) sweep() error {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking for what is left of a sudo rule: %w", err)
	}
	for _, entry := range entries {
		if !atomicfile.IsPart(entry.Name(), r.Path()) {
			continue
		}
		if err := os.Remove(filepath.Join(folder, entry.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing what is left of a sudo rule: %w", err)
		}
	}
	return nil
}

// Remove takes the rule away. Gone already is done; one that somebody has changed is left.
func (r Rule) Remove() (left bool, err error) {
	if err := r.sweep(); err != nil {
		return false, err
	}
	state, err := r.Look()
	if err != nil || state == Absent {
		return false, err
	}
	if state == Changed {
		return true, nil
	}
	if err := os.Remove(r.Path()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("removing the sudo rule: %w", err)
	}
	return false, nil
}

// included is the line by which sudo reads the files of the folder.
var included = pattern.New(`(?m)^\s*[#@]includedir\s+"?(/etc/)?sudoers\.d/?"?\s*$`)

// elsewhere is a line by which sudo reads another file, which may have that line.
var elsewhere = pattern.New(`(?m)^\s*[#@]include(dir)?\s`)

// Unheeded says why sudo would not go by a rule on this host, and what to do about it, both as clauses; empty where nothing is known
// that speaks against it.
func Unheeded() (why, remedy string) {
	if _, err := exec.LookPath("sudo"); err != nil {
		return "sudo is not installed", "install the package sudo"
	}
	for _, path := range []string{"/etc/sudoers", "/usr/etc/sudoers"} { // openSUSE has it there
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil || included.Match(text) || elsewhere.Match(text) {
			return "", ""
		}
		return path + " does not include " + folder, `add the line "@includedir ` + folder + `" to it with visudo`
	}
	return "", ""
}

// plain are the names that need no quoting in a rule, and that sudo reads as the name of a file.
var plain = pattern.New(`^[A-Za-z_][A-Za-z0-9_-]*$`)

// Command is what root may run to let an account that is not this program's run everything by sudo.
func Command(name string, uid int) string {
	who, file := name, name
	if !plain.MatchString(name) {
		who = fmt.Sprintf("#%d", uid)
		file = strings.TrimPrefix(who, "#")
	}
	return fmt.Sprintf(`sh -c 'umask 337; echo "%s ALL=(ALL) NOPASSWD: ALL" >%s/%s'`, who, folder, file)
}
