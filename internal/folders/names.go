package folders

import (
	"errors"
	"io"
	"os"
)

// some is how many names are held at a time.
const some = 1024

// Names gives each the names in a folder, in no order, until it returns false. They may be
// millions: few of them are held at a time. What comes or goes meanwhile may be among them.
func Names(folder *os.Root, each func(name string) (more bool)) error {
	listing, err := folder.Open(".")
	if err != nil {
		return Cause(err)
	}
	defer listing.Close()
	for {
		names, err := listing.Readdirnames(some)
		for _, name := range names {
			if !each(name) {
				return nil
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return Cause(err)
		}
	}
}
