package places

import (
	"io/fs"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/volume"
)

// try leaves it to the write to find out: rights on Windows are not those of a mode.
func try(volume.Volume, string, Place, account.User) *Error { return nil }

// modeless is never asked.
func modeless(string) bool { return false }

// Folded is empty: names are so everywhere on Windows, and all that runs there knows it.
func Folded(string) string { return "" }

// owns and changeable leave it to the making to find out: rights on Windows are not those of a mode.
func owns(account.User, fs.FileInfo) bool { return true }

func changeable(account.User, fs.FileInfo) string { return "" }
