package places

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/folders"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/shell"
	"github.com/runner-bootstrap/runner-bootstrap/internal/volume"
)

// ErrWork is matched by every reason why jobs cannot work in a folder, beside that reason.
var ErrWork = errors.New("jobs cannot work there")

// Why jobs cannot work in a folder, beside those of a [Error].
var (
	// ErrWorkName is a name that no folder for jobs may have, whatever there is on the host.
	ErrWorkName = errors.New("it cannot be a folder for jobs")
	// ErrWorkKind means that something else is there: a file, a link.
	ErrWorkKind = errors.New("it is no folder")
	// ErrWorkFull means that somebody's files are there, which we would take for those of jobs.
	ErrWorkFull = errors.New("it is not empty")
	// ErrWorkOwner means that the account of the jobs cannot write there.
	ErrWorkOwner = errors.New("it does not belong to the account that runs the jobs")
	// ErrWorkParent means that a folder above it is in the way.
	ErrWorkParent = errors.New("a folder above it is in the way")
	// ErrWorkTaken means that another runner works there.
	ErrWorkTaken = errors.New("another runner works there")
	// ErrWorkTemporary means that the service would see another folder of that name.
	ErrWorkTemporary = errors.New("the service has a temporary folder of its own")
)

// Work is a folder for jobs, as it was asked for.
type Work struct {
	Folder string // --work
	Name   string // of the runner
	// Part is set where the runner gets a part of the folder: several runners are asked to work there.
	Part bool
	// Exact is set where the runner is told the very folder, whatever is there.
	Exact bool
	Paths instance.Paths
	User  account.User
	// PrivateTemp is set where a service does not see the host's temporary folders.
	PrivateTemp bool
	// Records are those of this host, that of the runner included if there is one.
	Records []instance.Record
}

// Room is where jobs can work, and what has to be made for it.
type Room struct {
	Path  string   // absolute
	Above []string // to be made above it, the outermost first
	Make  bool     // it has to be made
	// Shared are the folders above it that we have made for other runners.
	Shared []string
}

// WorkError says why jobs cannot work in a folder.
type WorkError struct {
	Folder string
	Reason error // one of the sentinels, or what a Error has
	Detail string
	On     volume.Volume // what it would be on, where that is what is wrong
	// Command mends it, as root; or else another folder, Instead, is to be named.
	Command, Instead string
	// Reregister is set where the runners that are there already have to be registered again for that.
	Reregister bool
}

func (e *WorkError) Error() string {
	return fmt.Sprintf("looking at the folder for jobs %q: %s", e.Folder, e.Why())
}

// Why is the reason, with the file system that it is about.
func (e *WorkError) Why() string { return (&Error{Reason: e.Reason, Detail: e.Detail, On: e.On}).Why() }

func (e *WorkError) Unwrap() []error { return []error{e.Reason, ErrWork} }

// Inside is a folder for jobs that is always possible: in the runner's directory.
const Inside = "_work"

// tryWithin is how long a program may take to start there, and files to be made.
const tryWithin = 10 * time.Second

// CheckWork finds out where jobs of a runner can work, or returns a [*WorkError]. It is for a runner that does not work
// there yet. A folder in the runner's directory needs no room. It changes nothing and leaves nothing. Of a file system that does not
// answer, the error matches [folders.ErrSilent].
func CheckWork(w Work) (Room, error) {
	type found struct {
		room Room
		err  error
	}
	f, answered := folders.Within(tryWithin, func() (f found) {
		f.room, f.err = checkWork(w)
		return f
	}, func(found) {})
	if !answered {
		return Room{}, fmt.Errorf("looking at the work folder %q: %w", w.Folder, folders.ErrSilent)
	}
	return f.room, f.err
}

func checkWork(w Work) (Room, error) {
	if err := w.checkMeant(); err != nil {
		return Room{}, err
	}
	if !filepath.IsAbs(w.Folder) {
		return Room{}, w.checkName()
	}
	if i := strings.IndexFunc(w.Folder, unicode.IsControl); i >= 0 || strings.Contains(w.Folder, "{{") {
		return Room{}, &WorkError{Folder: w.Folder, Reason: ErrWorkName, Detail: "its name cannot stand in a unit", Instead: Inside}
	}
	path, err := w.resolve(filepath.Clean(w.Folder))
	if err != nil {
		return Room{}, err
	}
	for _, check := range []func(string) error{w.checkSystem, w.checkTaken, w.checkTemporary} {
		if err := check(path); err != nil {
			return Room{}, err
		}
	}
	info, err := os.Lstat(path)
	switch {
	case absent(err):
		return w.fresh(path)
	case err != nil:
		return Room{}, &WorkError{Folder: w.Folder, Reason: ErrWorkParent, Detail: obstacle(path, err), Instead: Inside}
	case !info.IsDir():
		return Room{}, &WorkError{Folder: w.Folder, Reason: ErrWorkKind, Instead: Inside}
	case w.began(path):
		return Room{Path: path, Make: true}, w.checkParents(filepath.Dir(path))
	}
	return w.within(path, info)
}

// CheckRoom tells, by a [*WorkError], why jobs can no longer work in a folder that was made for them and is there.
func CheckRoom(path string, user account.User) error {
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return &WorkError{Folder: path, Reason: ErrWorkParent, Detail: obstacle(path, err), Instead: Inside}
	case !info.IsDir():
		return &WorkError{Folder: path, Reason: ErrWorkKind, Command: shell.Here().Do(shell.ShowFolder, path)}
	case !owns(user, info):
		return &WorkError{
			Folder: path, Reason: ErrWorkOwner,
			Command: shell.Here().Do(shell.TakeFolder, user.Name+":", path, path),
		}
	}
	return Work{Folder: path, User: user}.checkParents(path)
}

// obstacle says what is in the way to a folder: a file, or else what the system says.
func obstacle(path string, err error) string {
	for dir := filepath.Dir(path); dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if info, err := os.Stat(dir); err == nil && !info.IsDir() {
			return fmt.Sprintf("%q is not a directory", dir)
		}
	}
	var system *fs.PathError
	if errors.As(err, &system) {
		err = system.Err
	}
	return err.Error()
}

// checkTaken refuses what is another runner's folder, or in it or around it. Around is also where runners have a part each.
func (w Work) checkTaken(path string) error {
	for _, record := range w.Records {
		if record.Name == w.Name {
			continue
		}
		places := []string{record.Dir}
		if dir := record.WorkDir(); filepath.IsAbs(dir) {
			places = append(places, dir)
		}
		for _, made := range record.WorkFolder.Made {
			places = append(places, made.Path)
		}
		for _, place := range places {
			if within(path, place) {
				e := &WorkError{
					Folder: w.Folder, Reason: ErrWorkTaken, Detail: fmt.Sprintf("%q works in %q", record.Name, place), Instead: Inside,
				}
				if w.Part && record.Work == w.Folder && record.Dir != place {
					// The first of several was the only one before, and has the whole folder.
					e.Reregister, e.Instead = true, w.Folder+"-parts"
				}
				return e
			}
		}
	}
	return nil
}

func (w Work) checkTemporary(path string) error {
	if w.PrivateTemp && Temporary(path) {
		return &WorkError{Folder: w.Folder, Reason: ErrWorkTemporary, Instead: Inside}
	}
	return nil
}

// Temporary tells whether a path is in a folder that services may have of their own.
func Temporary(path string) bool { return within(path, "/tmp") || within(path, "/var/tmp") }

// fresh is a room in a folder that is not there yet.
func (w Work) fresh(path string) (Room, error) {
	base, err := volume.Existing(path)
	if err != nil {
		return Room{}, &WorkError{Folder: w.Folder, Reason: ErrWorkParent, Detail: err.Error(), Instead: Inside}
	}
	room := Room{Path: path, Make: true}
	if w.Part && !w.Exact {
		room.Path = filepath.Join(path, w.Name)
	}
	for dir := filepath.Dir(room.Path); dir != base; dir = filepath.Dir(dir) {
		room.Above = append([]string{dir}, room.Above...)
	}
	room.Shared = w.shared(base)
	return room, w.checkParents(base)
}

// within is a room in a folder that is there: a part of its own, since what we have not made is not ours to empty.
func (w Work) within(path string, info fs.FileInfo) (Room, error) {
	room := Room{Path: filepath.Join(path, w.Name), Make: true, Shared: w.shared(path)}
	if w.Exact {
		room = Room{Path: path}
	}
	if len(room.Shared) == 0 {
		if !owns(w.User, info) {
			return Room{}, w.notOwned(path)
		}
		if name, err := w.stranger(path); err != nil || name != "" {
			return Room{}, w.notEmpty(path, name, err)
		}
	}
	if _, err := os.Lstat(room.Path); err == nil && !w.Exact && !w.began(room.Path) {
		return Room{}, w.notEmpty(path, w.Name, nil)
	}
	return room, w.checkParents(path)
}

func (w Work) notOwned(path string) error {
	e := &WorkError{Folder: w.Folder, Reason: ErrWorkOwner, Instead: Inside}
	name, err := w.stranger(path)
	if w.User.Name == "" || err != nil || name != "" || w.User.Self {
		return e
	}
	if w.User.Planned() {
		// There is no account yet that it could be given to.
		e.Detail, e.Instead = "that is yet to be created", w.beside(path)
		return e
	}
	e.Command = shell.Here().Do(shell.GiveFolder, w.User.Name+":", path)
	return e
}

// beside is a folder in one that is there, which we could make; in the runner's directory if not.
func (w Work) beside(path string) string {
	fresh := filepath.Join(path, "actions-work")
	if _, err := os.Lstat(fresh); !absent(err) || w.checkParents(path) != nil {
		return Inside
	}
	return fresh
}

func (w Work) notEmpty(path, name string, err error) error {
	e := &WorkError{Folder: w.Folder, Reason: ErrWorkFull, Detail: fmt.Sprintf("%q is in it", name), Instead: w.beside(path)}
	if err != nil {
		e.Reason, e.Detail = err, ""
	}
	return e
}

// stranger names something in a folder that is not ours. A file system has its lost+found.
func (w Work) stranger(path string) (string, error) {
	folder, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer folder.Close()
	for {
		names, err := folder.Readdirnames(64)
		for _, name := range names {
			if name != "lost+found" && !w.known(filepath.Join(path, name)) {
				return name, nil
			}
		}
		if errors.Is(err, io.EOF) {
			return "", nil
		}
		if err != nil {
			return "", err
		}
	}
}

// known tells whether a folder was made by us for a runner, this one included.
func (w Work) known(path string) bool {
	return slices.ContainsFunc(w.Records, func(r instance.Record) bool {
		_, made := r.WorkFolder.Find(path)
		return made || slices.Contains(r.WorkFolder.Above, path)
	})
}

// began tells whether an interrupted run of ours has made a folder for this runner.
func (w Work) began(path string) bool {
	return slices.ContainsFunc(w.Records, func(r instance.Record) bool {
		_, made := r.WorkFolder.Find(path)
		return made && r.Name == w.Name
	})
}

// shared are the folders that we have made for runners, from path up, the outermost first.
func (w Work) shared(path string) []string {
	var all []string
	for dir := path; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if slices.ContainsFunc(w.Records, func(r instance.Record) bool { return slices.Contains(r.WorkFolder.Above, dir) }) {
			all = append([]string{dir}, all...)
		}
	}
	return all
}

// checkParents looks at a folder that is there, in which another one is to be, and at those above it.
func (w Work) checkParents(base string) error {
	if err := w.safe(base); err != nil {
		return err
	}
	if barrier := w.User.Barrier(filepath.Join(base, "x")); barrier != "" {
		return &WorkError{
			Folder: w.Folder, Reason: ErrWorkParent, Detail: fmt.Sprintf("account %q may not list %q", w.User.Name, barrier),
			Command: letList(barrier, w.User), Instead: Inside,
		}
	}
	place := Place{Path: base, Given: true, Executed: true, Linked: true}
	v := volumeAt(base)
	problem := unfit(v, base, place)
	if problem == nil {
		problem = try(v, base, place, w.User)
	}
	if problem == nil {
		return nil
	}
	e := &WorkError{Folder: w.Folder, Reason: problem.Reason, Detail: problem.Detail, On: problem.On, Instead: Inside}
	if _, system := problem.Reason.(syscall.Errno); system { //nolint:errorlint // it is never wrapped
		e.Detail = fmt.Sprintf("in %q", base)
	}
	if errors.Is(problem, ErrReadOnly) || errors.Is(problem, ErrNoExec) {
		e.Command = RemountFix(problem)
	}
	return e
}

// letList is the command, for root, that lets an account list and pass a folder.
func letList(dir string, user account.User) string {
	return shell.Here().Do(shell.LetList, dir, user.Name)
}

// safe refuses folders in which somebody else could put something into the place of what root makes there.
func (w Work) safe(base string) error {
	if w.User.Self {
		return nil
	}
	for dir := base; ; dir = filepath.Dir(dir) {
		info, err := os.Lstat(dir)
		if err != nil {
			return &WorkError{Folder: w.Folder, Reason: ErrWorkParent, Detail: err.Error(), Instead: Inside}
		}
		if whose := changeable(w.User, info); whose != "" {
			return &WorkError{
				Folder: w.Folder, Reason: ErrWorkParent, Detail: fmt.Sprintf("%q can be changed by %s", dir, whose), Instead: Inside,
			}
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}
