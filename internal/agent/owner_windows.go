package agent

import "io/fs"

// rootOwns tells whether something belongs to root, who is not here.
func rootOwns(fs.FileInfo) bool { return false }
