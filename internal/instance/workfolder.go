package instance

import (
	"path/filepath"
	"slices"
)

// WorkFolder is a folder for jobs outside of the runner's directory, and what was made for it. The zero value is that of a
// runner whose jobs work in its directory, and that of a record from before this was noted: then nothing was made.
type WorkFolder struct {
	// Path is where jobs work: the folder that was asked for, or a part of it for this runner alone.
	Path string `json:"path,omitempty"`
	// Made are the folders that we have made for jobs, in whose place nothing else can be but what jobs left.
	Made []MadeFolder `json:"made,omitempty"`
	// Above are the folders above them that we have made, the outermost first. Runners may share them.
	Above []string `json:"above,omitempty"`
}

// MadeFolder is a folder that we have made.
type MadeFolder struct {
	Path string `json:"path"`
	// Inode tells it from one that somebody has put there since; 0 if that is not known.
	Inode uint64 `json:"inode,omitempty"`
}

// Find returns what was made at path.
func (w WorkFolder) Find(path string) (MadeFolder, bool) {
	i := slices.IndexFunc(w.Made, func(m MadeFolder) bool { return m.Path == path })
	if i < 0 {
		return MadeFolder{}, false
	}
	return w.Made[i], true
}

// WorkDir is the folder for jobs as the runner is told it: absolute, or below its directory.
func (r Record) WorkDir() string {
	if filepath.IsAbs(r.Work) && r.WorkFolder.Path != "" {
		return r.WorkFolder.Path
	}
	return r.Work
}
