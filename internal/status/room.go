package status

import (
	"cmp"
	"context"
	"path/filepath"

	"github.com/runner-bootstrap/runner-bootstrap/internal/folders"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/volume"
)

// leastForJobs is what one takes for its logs alone, leastForState what is kept of a runner, and fewest how many files each has.
const leastForJobs, leastForState, fewest = 1 << 20, 64 << 10, 16

// lookAtRoom sees whether there is any left where the runner works, and where this program keeps what it knows of it. A full
// disk has a runner take jobs, since one of them may be what makes room, and most of them fail.
func (w Witnesses) lookAtRoom(_ context.Context, record instance.Record, s *Runner) error {
	seen := map[uint64]bool{}
	state := instance.Folder(w.Store, record.Name)
	for _, folder := range []string{record.Dir, cmp.Or(record.WorkDir(), "_work"), "_diag", state} {
		if !filepath.IsAbs(folder) {
			folder = filepath.Join(record.Dir, folder)
		}
		least := int64(leastForJobs)
		if folder == state {
			least = leastForState
		}
		v, answered := volumeOf(folder)
		switch {
		case !answered:
			s.Disk.Silent = true
			s.problem("directory %q is on a file system that does not answer", folder)
		case v.ID == 0 || seen[v.ID]: // it is not there, or not to be looked at by this account
		case v.Sized && v.Bytes < least:
			s.Disk.Full = true
			s.problem("there is no room where directory %q is: %d kB are free", folder, v.Bytes>>10)
		case v.Counted && v.Files < fewest:
			s.Disk.Full = true
			s.problem("there is no room where directory %q is: the file system can hold %d more files", folder, v.Files)
		}
		seen[v.ID] = true
	}
	return nil
}

// volumeOf is the file system of a folder, the zero one if that cannot be told, unless it does not answer in time. The place where it is
// mounted is asked first: who looks for a name behind others that do may not even be killed.
func volumeOf(folder string) (v volume.Volume, answered bool) {
	if point := volume.Above(folder); point != "" && point != folder {
		if v, answered := volumeOf(point); !answered {
			return v, false
		}
	}
	return folders.Soon(func() volume.Volume {
		if v, err := volume.Of(folder); err == nil {
			return v
		}
		return volume.Volume{}
	}, func(volume.Volume) {})
}
