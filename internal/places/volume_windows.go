package places

import (
	"fmt"
	"io/fs"
	"unicode/utf16"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/volume"
)

// longest is how many characters the folder of the runners may have: Windows starts a program in a folder of fewer than 259
// only, and the runner's name and what is in its root come behind.
const longest = 180

// try leaves what is a matter of rights to the write to find out: on Windows they are not those of a mode.
func try(v volume.Volume, _ string, place Place, _ account.User) *Error {
	if length := len(utf16.Encode([]rune(place.Path))); place.Executed && length > longest {
		detail := fmt.Sprintf("its path has %d characters, and Windows takes %d there", length, longest)
		return &Error{Path: place.Path, Reason: ErrNoStart, Detail: detail, On: v}
	}
	return nil
}

// modeless is never asked.
func modeless(string) bool { return false }

// Folded is empty: names are so everywhere on Windows, and all that runs there knows it.
func Folded(string) string { return "" }

// owns and changeable leave it to the making to find out: rights on Windows are not those of a mode.
func owns(account.User, fs.FileInfo) bool { return true }

func changeable(account.User, fs.FileInfo) string { return "" }
