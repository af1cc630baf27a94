package folders

import (
	"io/fs"
)

// powerful tells whether modes do not keep us out. Here there are none.
func powerful() bool { return true }

// unchangeable tells whether only the system and we can change what is in a
// folder. That takes more than is here, so no link is followed.
func unchangeable(fs.FileInfo) bool { return false }
