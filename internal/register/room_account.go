package register

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/openfile"
	"github.com/runner-bootstrap/runner-bootstrap/internal/volume"
)

// The numbers of accounts that rooms take, each for as long as it lasts. systemd's list of
// ranges leaves them unused (UIDS-GIDS), and so do Debian and Red Hat.
const (
	firstNumber = 60706
	lastNumber  = 61183
)

// claim takes a number that no other room, and no account or group of this host, has.
func (r Room) claim(ctx context.Context) (user account.User, lock *instance.Lock, err error) {
	err = errNoFolder
	for i, folder := range r.Folders {
		if i < len(r.Folders)-1 && !volume.Executes(folder) {
			continue // /var may be mounted with noexec
		}
		user, lock, err = claimIn(ctx, folder)
		if !errors.Is(err, syscall.EROFS) && !errors.Is(err, fs.ErrPermission) {
			break
		}
	}
	return user, lock, err
}

func claimIn(ctx context.Context, folder string) (account.User, *instance.Lock, error) {
	us, err := account.Lookup("")
	if err != nil {
		return account.User{}, nil, err
	}
	for number := firstNumber; number <= lastNumber; number++ {
		if account.Privileged() && runtime.GOOS != "windows" && taken(number) {
			continue
		}
		lock, err := lockNumber(ctx, filepath.Join(folder, strconv.Itoa(number)+lockMark))
		if errors.Is(err, instance.ErrLocked) {
			continue
		}
		if err != nil {
			return account.User{}, nil, err
		}
		if !account.Privileged() || runtime.GOOS == "windows" {
			us.Home = "" // the room is its home
			return us, lock, nil
		}
		return account.User{Name: "register", UID: number, GID: number, Groups: []int{number}}, lock, nil
	}
	return account.User{}, nil, errNoNumber
}

var (
	errNoNumber = errors.New("no number is free for an account of its own")
	errNoFolder = errors.New("there is no folder for a room")
)

// lockNumber makes the folder of rooms, which goes with the last of them, and takes a lock in it.
func lockNumber(ctx context.Context, path string) (*instance.Lock, error) {
	for {
		// The account of a room has to be able to list every folder above it (actions/runner,
		// IOUtil.ValidateExecutePermission).
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // see above
			return nil, fmt.Errorf("making the folder of rooms: %w", err)
		}
		lock, err := instance.TryLock(ctx, path, "a room for config.sh")
		if !errors.Is(err, fs.ErrNotExist) || ctx.Err() != nil {
			return lock, err
		}
	}
}

// taken tells whether a number is an account's or a group's. What a directory does not
// answer for is free: it knows of none in this range.
func taken(number int) bool {
	text := strconv.Itoa(number)
	if _, err := account.Lookup(text); !errors.Is(err, account.ErrAbsent) && !errors.Is(err, account.ErrUnanswered) {
		return true
	}
	_, err := user.LookupGroupId(text)
	return err == nil
}

// The variables that name certificates, and where copies of them are in a room.
const (
	trustFile   = "SSL_CERT_FILE"
	trustFolder = "SSL_CERT_DIR"
	trustCopy   = ".trust"
	// maxTrust and maxTrustFiles are far beyond any list of authorities.
	maxTrust      = 16 << 20
	maxTrustFiles = 1000
)

// environment is what config.sh starts with. Certificates that not everybody may read, or that lie where a room does not look,
// are copied into it.
func (r Room) environment(dir string, user account.User) ([]string, error) {
	if user.Self {
		return user.Environment(dir, r.Environment...), nil
	}
	var extra []string
	for _, variable := range r.Environment {
		name, value, _ := strings.Cut(variable, "=")
		var err error
		switch {
		case (name == trustFile || name == trustFolder) && public(value):
		case name == trustFile && value != "":
			value, err = copyTrust(value, filepath.Join(dir, trustCopy+".pem"), user)
		case name == trustFolder && value != "":
			value, err = copyTrustFolder(value, filepath.Join(dir, trustCopy), user)
		default:
			extra = append(extra, variable)
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("copying the certificates that %s names: %w", name, err)
		}
		extra = append(extra, name+"="+value)
	}
	return user.Environment(dir, extra...), nil
}

// public tells whether everybody may read a file, or a folder with all that is in it, and it is with the system's own files, which
// no room hides.
func public(path string) bool {
	seen := passages{}
	if !seen.readable(path) {
		return false
	}
	names, err := namesIn(path)
	if errors.Is(err, syscall.ENOTDIR) {
		return true
	}
	return err == nil && len(names) <= maxTrustFiles && !slices.ContainsFunc(names, func(name string) bool {
		return !seen.readable(filepath.Join(path, name))
	})
}

// namesIn are the names in a folder, and one more than can be of use if there are more.
func namesIn(dir string) ([]string, error) {
	folder, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	names, err := folder.Readdirnames(maxTrustFiles + 1)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return names, err
}

// passages are folders by a name of theirs, and what they really are where everybody may enter them; empty where not. A folder of
// certificates has hundreds of links into one other.
type passages map[string]string

// maxLinks is how many links the kernel follows.
const maxLinks = 40

// readable looks at one path, and at the folders on the way. What is written in an odd way may be taken for unreadable.
func (p passages) readable(path string) bool {
	path = strings.TrimRight(path, "/")
	for range maxLinks {
		last := strings.LastIndexByte(path, '/') // and not [filepath.Dir]: what stands before ".." may be a link
		if last < 0 {
			return false
		}
		dir, name := p.real(path[:last+1]), path[last+1:]
		if dir == "" || name == "" || name == "." || name == ".." {
			return false
		}
		path = filepath.Join(dir, name)
		to, err := os.Readlink(path)
		if errors.Is(err, syscall.EINVAL) {
			return readableFile(path)
		}
		if err != nil {
			return false
		}
		if path = to; !filepath.IsAbs(to) {
			path = dir + "/" + to
		}
	}
	return false
}

func readableFile(path string) bool {
	info, err := os.Lstat(path)
	ofTheSystem := strings.HasPrefix(path, "/etc/") || strings.HasPrefix(path, "/usr/")
	return ofTheSystem && err == nil && info.Mode().Perm()&0o004 != 0 && (!info.IsDir() || info.Mode().Perm()&0o001 != 0)
}

// real is the folder that a name leads to, if everybody may pass on the way there.
func (p passages) real(dir string) string {
	if known, is := p[dir]; is {
		return known
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil || !passable(real) {
		real = ""
	}
	p[dir] = real
	return real
}

func passable(dir string) bool {
	info, err := os.Stat(dir)
	return err == nil && info.Mode().Perm()&0o001 != 0 && (dir == "/" || passable(filepath.Dir(dir)))
}

// copyTrust copies one file for the account. What cannot be read is left to config.sh, which
// says what it lacks.
func copyTrust(from, to string, user account.User) (string, error) {
	text, err := openfile.Read(from, maxTrust)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, openfile.ErrNotRegular) {
		return from, nil
	}
	if err == nil {
		err = os.WriteFile(to, text, 0o600)
	}
	return to, errors.Join(err, ownIfThere(to, user))
}

func copyTrustFolder(from, to string, user account.User) (string, error) {
	folder, err := os.Open(from)
	if err != nil {
		return from, nil //nolint:nilerr // config.sh says what it lacks
	}
	defer folder.Close()
	names, err := folder.Readdirnames(maxTrustFiles)
	if err != nil && !errors.Is(err, io.EOF) {
		return from, nil //nolint:nilerr // likewise
	}
	if err := os.Mkdir(to, 0o700); err != nil {
		return "", err
	}
	for _, name := range names {
		if _, err := copyTrust(filepath.Join(from, name), filepath.Join(to, name), user); err != nil {
			return "", err
		}
	}
	return to, user.Own(to)
}

func ownIfThere(path string, user account.User) error {
	err := user.Own(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
