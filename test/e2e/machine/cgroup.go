//go:build e2e && linux

package machine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// groupPrefix starts the name of every control group that a machine is put into; the rest is the number of
// the test's process, and one of the machine.
const groupPrefix = "runner-bootstrap-e2e-"

// makeGroups makes a control group in every hierarchy that systemd tracks processes by. Without, two machines
// would share theirs, and each would kill the other's services.
func makeGroups(name string) ([]string, error) {
	parents, err := ownGroups()
	if err != nil {
		return nil, err
	}
	var groups []string
	for _, parent := range parents {
		forgetDead(parent)
		group := filepath.Join(parent, name)
		if err := os.Mkdir(group, 0o755); err != nil {
			return nil, errors.Join(fmt.Errorf("making a control group: %w", err), removeGroups(groups))
		}
		groups = append(groups, group)
	}
	return groups, nil
}

// ownGroups finds the folders of this process's control groups: of version 2, and of version 1's name=systemd.
func ownGroups() ([]string, error) {
	memberships, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, err
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	var found []string
	for line := range strings.Lines(string(memberships)) {
		// number:controllers:path
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) != 3 || fields[1] != "" && fields[1] != "name=systemd" {
			continue
		}
		if folder := groupFolder(string(mounts), fields[1], fields[2]); folder != "" {
			found = append(found, folder)
		}
	}
	if len(found) == 0 {
		return nil, errors.New("finding this process's control group: none is mounted")
	}
	return found, nil
}

// groupFolder finds where the group is in the mounted hierarchies. See proc(5) for the fields: root of the
// mount and mount point are the fourth and fifth, type and options come after a dash.
func groupFolder(mounts, controllers, group string) string {
	for line := range strings.Lines(mounts) {
		front, back, _ := strings.Cut(strings.TrimSpace(line), " - ")
		place, kind := strings.Fields(front), strings.Fields(back)
		if len(place) < 5 || len(kind) < 3 {
			continue
		}
		right := kind[0] == "cgroup2"
		if controllers != "" {
			right = kind[0] == "cgroup" && slices.Contains(strings.Split(kind[2], ","), controllers)
		}
		if !right {
			continue
		}
		if root := place[3]; root != "/" {
			group = "/" + strings.TrimPrefix(strings.TrimPrefix(group, root), "/")
		}
		return path.Join(place[4], group)
	}
	return ""
}

// forgetDead removes the groups that a test left when it was killed. They are empty: what was in them
// was killed with it.
func forgetDead(parent string) {
	left, err := filepath.Glob(filepath.Join(parent, groupPrefix+"*"))
	if err != nil {
		return
	}
	for _, group := range left {
		pid, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(group), groupPrefix), "-")
		if _, err := strconv.Atoi(pid); err != nil {
			continue
		}
		if _, err := os.Stat("/proc/" + pid); errors.Is(err, fs.ErrNotExist) {
			_ = removeGroups([]string{group}) // it is not ours, and the next machine tries again
		}
	}
}

// Freeze has nothing in the machine run until it is thawed, while its clocks go on: as a container is paused.
func (m *Machine) Freeze(frozen bool) {
	m.t.Helper()
	word := map[bool]string{true: "1", false: "0"}[frozen]
	for _, group := range m.groups {
		file := filepath.Join(group, "cgroup.freeze")
		if _, err := os.Stat(file); err != nil {
			continue
		}
		if err := os.WriteFile(file, []byte(word), 0); err != nil {
			m.t.Fatalf("freezing the machine: %v", err)
		}
		return
	}
	m.t.Fatal("freezing the machine: none of its control groups is of version 2")
}

// removeGroups removes groups and those below. The kernel may still be clearing away what was killed in them.
func removeGroups(groups []string) error {
	var last error
	for range 50 {
		last = nil
		for _, group := range groups {
			last = errors.Join(last, removeGroup(group))
		}
		if last == nil {
			return nil
		}
		time.Sleep(glance)
	}
	return fmt.Errorf("removing control groups: %w", last)
}

func removeGroup(group string) error {
	var folders []string
	err := filepath.WalkDir(group, func(name string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && entry.IsDir() {
			folders = append(folders, name)
		}
		return err
	})
	for _, folder := range slices.Backward(folders) {
		if removal := os.Remove(folder); removal != nil && !errors.Is(removal, fs.ErrNotExist) {
			err = errors.Join(err, removal)
		}
	}
	return err
}
