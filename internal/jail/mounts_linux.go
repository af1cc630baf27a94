package jail

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// inert are the flags of a mount that holds no program and no device.
const inert = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC

// view makes what a life sees, in the mount namespace that is its own. The step says what has failed.
func (b *beginning) view() (step string, err error) {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return "keeping its mounts from the host", err
	}
	if b.View.Confined {
		if step, err := b.hide(); err != nil {
			return step, err
		}
	}
	if err := unix.Mount("proc", "/proc", "proc", inert, ""); err != nil {
		return "mounting /proc", err
	}
	if mounted("/dev/mqueue") {
		if err := unix.Mount("mqueue", "/dev/mqueue", "mqueue", inert, ""); err != nil {
			return "mounting /dev/mqueue", err
		}
	}
	return "", nil
}

// mounted tells whether something is mounted there.
func mounted(path string) bool {
	var there, above unix.Stat_t
	return unix.Lstat(path, &there) == nil && unix.Lstat(filepath.Dir(path), &above) == nil && there.Dev != above.Dev
}

// ownPlace is a folder that a life has of its own, in the place of one that all share.
type ownPlace struct {
	path string
	name string // in its room; empty: it is in memory
}

// ownPlaces are those that this host has, each once: one may be a link to another.
func (v View) ownPlaces() []ownPlace {
	if !v.ownTemp() {
		return nil
	}
	var places []ownPlace
	for _, place := range []ownPlace{{"/tmp", ownTmp}, {"/var/tmp", ownVarTmp}, {"/dev/shm", ""}, {"/run/lock", ""}} {
		at, err := filepath.EvalSymlinks(place.path)
		if err == nil && !slices.ContainsFunc(places, func(p ownPlace) bool { return p.path == at }) {
			places = append(places, ownPlace{at, place.name})
		}
	}
	return places
}

// handles are on what is put back, by its path there: it is looked for before anything is covered.
type handles map[string]int

func (h handles) open(from, at string) error {
	handle, err := unix.Open(from, unix.O_PATH|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return fmt.Errorf("looking at %s: %w", from, err)
	}
	h[at] = handle
	return nil
}

func (h handles) close() {
	for _, handle := range h {
		_ = unix.Close(handle) // it names a file, and holds nothing that could be lost
	}
}

// hide covers what is not to be seen, and puts back what is.
func (b *beginning) hide() (step string, err error) {
	places, held := b.View.ownPlaces(), handles{}
	defer held.close()
	own := make([]string, len(places))
	for i, place := range places {
		if own[i] = place.path; place.name != "" {
			err = errors.Join(err, held.open(filepath.Join(b.Room, place.name), place.path))
		}
	}
	unusual := func(path string) bool { return path == "/" || slices.Contains(own, path) }
	hidden, shown := slices.DeleteFunc(real(b.View.covered()), unusual), slices.DeleteFunc(real(b.View.kept()), unusual)
	for _, path := range shown {
		err = errors.Join(err, held.open(path, path))
	}
	home := b.freshHome()
	if home != "" {
		shown = append(slices.DeleteFunc(shown, func(path string) bool { return path == home }), home)
		err = errors.Join(err, held.open(filepath.Join(b.Room, ownHome), home))
	}
	if err := errors.Join(err, held.open(filepath.Join(b.Room, nothing), "")); err != nil {
		return "looking at what it is to see", err
	}
	for _, place := range places {
		if err := place.mount(held); err != nil {
			return "mounting " + place.path, err
		}
	}
	if home != "" {
		own = append(own, home) // of what was there nothing is left
	}
	todo := changes(hidden, shown, own)
	if home != "" && !slices.Contains(todo, change{home, false}) {
		if err := bind(held[home], home); err != nil && !errors.Is(err, fs.ErrNotExist) { // an account need not have a home
			return "mounting " + home, err
		}
	}
	return carryOut(todo, held)
}

// freshHome is where the life's own home is to be seen; empty: nowhere.
func (b *beginning) freshHome() string {
	if b.View.Home == "" || !b.View.Fresh {
		return ""
	}
	parent, err := filepath.EvalSymlinks(filepath.Dir(b.View.Home))
	if err != nil {
		return ""
	}
	return filepath.Join(parent, filepath.Base(b.View.Home))
}

// carryOut makes the changes, and has the folders that hide others written to by nobody.
func carryOut(todo []change, held handles) (step string, err error) {
	var folders []string
	for _, c := range todo {
		if !c.hide {
			if err := uncover(c.path, held[c.path]); err != nil {
				return "showing " + c.path, err
			}
			continue
		}
		folder, err := cover(c.path, held[""])
		if err != nil {
			return "hiding " + c.path, err
		}
		if folder {
			folders = append(folders, c.path)
		}
	}
	for _, path := range folders {
		if err := unix.Mount("", path, "", unix.MS_REMOUNT|unix.MS_RDONLY|inert, "mode=0755"); err != nil {
			return "closing " + path, err
		}
	}
	return "", nil
}

// real are paths as they are without links; those that are not there are left out.
func real(paths []string) []string {
	var found []string
	for _, path := range paths {
		if at, err := filepath.EvalSymlinks(path); err == nil && !slices.Contains(found, at) {
			found = append(found, at)
		}
	}
	return found
}

// mount puts it over the one that all share.
func (p ownPlace) mount(held handles) error {
	if p.name == "" {
		return unix.Mount("tmpfs", p.path, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=1777")
	}
	return bind(held[p.path], p.path)
}

// cover hides a folder behind an empty one, and anything else behind a file that nobody may open.
func cover(path string, empty int) (folder bool, err error) {
	info, err := os.Lstat(path)
	if err != nil {
		return false, err
	}
	if !info.IsDir() {
		return false, bind(empty, path)
	}
	return true, unix.Mount("tmpfs", path, "tmpfs", inert, "mode=0755,size=256k")
}

// standsIn is the mode of a folder that is there for what lies in it.
const standsIn = 0o755

// uncover puts something back in what is covered.
func uncover(path string, handle int) error {
	var stat unix.Stat_t
	if err := unix.Fstat(handle, &stat); err != nil {
		return err
	}
	if stat.Mode&unix.S_IFMT == unix.S_IFDIR {
		if err := os.MkdirAll(path, standsIn); err != nil {
			return err
		}
		return bind(handle, path)
	}
	if err := os.MkdirAll(filepath.Dir(path), standsIn); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err == nil {
		if err := file.Close(); err != nil {
			return err
		}
	}
	return bind(handle, path)
}

// bind mounts what a handle is on, with all that is mounted in it.
func bind(handle int, path string) error {
	if err := unix.Mount("/proc/self/fd/"+strconv.Itoa(handle), path, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("binding: %w", err)
	}
	return nil
}
