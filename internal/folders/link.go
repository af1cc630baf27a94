package folders

import (
	"io/fs"
	"os"
)

// IsLink tells whether what is called name in a folder is a link: a symbolic one, or a junction, which is how a folder is linked
// on Windows, where symbolic links take a privilege. Where it leads does not count.
func IsLink(folder *os.Root, name string) bool {
	info, err := folder.Lstat(name)
	if err != nil {
		return false
	}
	switch info.Mode().Type() {
	case fs.ModeSymlink:
		return true
	case fs.ModeIrregular: // a junction, or what a cloud's client or the like has made of a file
		_, err := folder.Readlink(name)
		return err == nil
	default:
		return false
	}
}
