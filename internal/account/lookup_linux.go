package account

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// patience is how long one of the system's programs may take: a directory that is
	// away makes them wait.
	patience = 10 * time.Second
	// notFound is what getent exits with where no source knows a key (getent(1)).
	notFound = 2
	// mostAnswer is more than any account has to say.
	mostAnswer = 1 << 20
)

// database is where the accounts of a host are looked for. This program is linked
// statically, so it cannot load the modules of the name service (NSS) that know a
// directory: it asks the system's programs, which do.
type database struct {
	passwd, group string   // the files of the accounts that are the host's own
	folders       []string // where the programs are; PATH is whatever the caller has
	patience      time.Duration
}

func systemDatabase() database {
	return database{
		passwd: "/etc/passwd", group: "/etc/group", patience: patience,
		folders: []string{"/usr/bin", "/bin", "/run/current-system/sw/bin"},
	}
}

func lookup(name string) (User, error) {
	if name == "" {
		return systemDatabase().self()
	}
	return systemDatabase().named(name)
}

// self is the account of this process. A container may give it a number without a
// name; then its number is its name, and it has no home.
func (d database) self() (User, error) {
	uid := os.Geteuid()
	u := User{Name: strconv.Itoa(uid), UID: uid, GID: os.Getegid(), Self: true}
	found, _, err := d.find(u.Name, func(a User) bool { return a.UID == uid })
	switch {
	case err == nil:
		u.Name, u.Home = found.Name, found.Home
	case !errors.Is(err, ErrAbsent) && !errors.Is(err, ErrUnanswered):
		return User{}, err
	}
	groups, err := os.Getgroups()
	if err != nil {
		return User{}, fmt.Errorf("listing the groups of this process: %w", err)
	}
	u.Groups = withPrimary(groups, u.GID)
	return u, nil
}

// named is the account of a name, or of a number that is nobody's name.
func (d database) named(name string) (User, error) {
	if strings.ContainsAny(name, ":\n\x00") {
		return User{}, fmt.Errorf("%w: no name has such characters", ErrAbsent) // it could not be told from other fields
	}
	wanted := []func(User) bool{func(a User) bool { return a.Name == name }}
	if uid, err := parseID(name); err == nil {
		wanted = append(wanted, func(a User) bool { return a.UID == uid })
	}
	u, local, err := d.find(name, wanted...)
	if err != nil {
		return User{}, err
	}
	u.Self = u.UID == os.Geteuid()
	return d.withGroups(u, local)
}

// find looks into the file first, for what is wanted most before the rest, so that an account of the host's own does not
// depend on a directory. Only the name service knows the others; it may call an
// account otherwise than its caller (DOMAIN\user, upper case), so what it finds by
// a name is that account. What looks like a number, to it, is an uid, and one that is
// too large is cut off, to root's if need be: that has to be wanted.
func (d database) find(key string, wanted ...func(User) bool) (u User, local bool, err error) {
	text, err := os.ReadFile(d.passwd)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return User{}, false, fmt.Errorf("%w: %w", ErrUnanswered, err)
	}
	for _, wanted := range wanted {
		for line := range strings.Lines(string(text)) {
			if u, err := parseAccount(line); err == nil && wanted(u) {
				return u, true, nil
			}
		}
	}
	u, err = d.inDirectory(key, func(u User) bool {
		return slices.ContainsFunc(wanted, func(wanted func(User) bool) bool { return wanted(u) })
	})
	return u, false, err
}

// inDirectory asks the name service.
func (d database) inDirectory(key string, wanted func(User) bool) (User, error) {
	words := []string{"passwd", key}
	if strings.HasPrefix(key, "-") {
		words = []string{"--", "passwd", key} // it is no option; musl's getent knows none, and no "--"
	}
	answer, err := d.ask("getent", words...)
	var exit *exec.ExitError
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return User{}, fmt.Errorf("%w in %s", ErrAbsent, d.passwd)
	case errors.As(err, &exit) && exit.ExitCode() == notFound:
		return User{}, fmt.Errorf("%w in %s, nor does getent know it", ErrAbsent, d.passwd)
	case err != nil:
		return User{}, fmt.Errorf("%w: %w", ErrUnanswered, err)
	}
	for line := range strings.Lines(answer) {
		u, err := parseAccount(line)
		if err != nil {
			return User{}, fmt.Errorf("%w: reading the answer of getent: %w", ErrUnanswered, err)
		}
		if !numeric(key) || wanted(u) {
			return u, nil
		}
	}
	return User{}, fmt.Errorf("%w in %s, nor does getent know it", ErrAbsent, d.passwd)
}

// numeric tells what getent takes for a number: whatever strtoul(3) does.
func numeric(key string) bool {
	digits := strings.TrimLeft(strings.TrimLeft(key, " \t\v\f\r"), "+-")
	return digits != "" && strings.Trim(digits, "0123456789") == ""
}

// withGroups adds the groups, of which a directory may know more than the file. An
// account of the host's own goes without those while the directory is away, and says
// so; one of the directory's has hardly any others.
func (d database) withGroups(u User, local bool) (User, error) {
	answer, err := d.ask("id", "-G", "--", u.Name)
	var groups []int
	if err == nil {
		groups, err = parseIDs(answer)
	}
	if err == nil {
		u.Groups = withPrimary(groups, u.GID)
		return u, nil
	}
	missing := errors.Is(err, exec.ErrNotFound) // a system without these programs has no directory either
	if !local && !missing {
		return User{}, fmt.Errorf("%w: %w", ErrUnanswered, err)
	}
	inFile, fileErr := d.localGroups(u.Name)
	if fileErr != nil {
		return User{}, fmt.Errorf("%w: %w", ErrUnanswered, errors.Join(err, fileErr))
	}
	u.Groups = withPrimary(inFile, u.GID)
	if !missing {
		u.Doubt = fmt.Errorf("listing the groups of account %q: %w", u.Name, err)
	}
	return u, nil
}

// localGroups are the groups that the file has the account in.
func (d database) localGroups(name string) ([]int, error) {
	text, err := os.ReadFile(d.group)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	var groups []int
	for line := range strings.Lines(string(text)) {
		fields := strings.Split(strings.TrimRight(line, "\r\n"), ":")
		if len(fields) != 4 || !slices.Contains(strings.Split(fields[3], ","), name) {
			continue
		}
		if gid, err := parseID(fields[2]); err == nil {
			groups = append(groups, gid)
		}
	}
	return groups, nil
}

// ask runs one of the system's programs, by its whole path, with an environment that
// holds nothing of ours.
func (d database) ask(program string, arguments ...string) (string, error) {
	path := d.program(program)
	if path == "" {
		return "", fmt.Errorf("asking %s: %w", program, exec.ErrNotFound)
	}
	ctx, cancel := context.WithTimeout(context.Background(), d.patience)
	defer cancel()
	var said, complaint bytes.Buffer
	cmd := exec.CommandContext(ctx, path, arguments...)
	cmd.Dir = "/"
	cmd.Env = []string{"LC_ALL=C", "PATH=" + searchPath}
	cmd.Stdout, cmd.Stderr = &limited{to: &said}, &limited{to: &complaint}
	cmd.WaitDelay = time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a terminal's interrupt is ours to answer
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return "", fmt.Errorf("asking %s: no answer within %s", path, d.patience)
	case err != nil && complaint.Len() > 0:
		first, _, _ := strings.Cut(strings.TrimSpace(complaint.String()), "\n")
		return "", fmt.Errorf("asking %s: %w: %s", path, err, first)
	case err != nil:
		return "", fmt.Errorf("asking %s: %w", path, err)
	}
	return said.String(), nil
}

func (d database) program(name string) string {
	for _, folder := range d.folders {
		path := filepath.Join(folder, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path
		}
	}
	return ""
}

// limited keeps what one answer may have, and drops what is beyond.
type limited struct{ to *bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	l.to.Write(p[:min(len(p), mostAnswer-l.to.Len())])
	return len(p), nil
}
