//go:build unix

package folders

import "os"

// Link makes a link called name in a folder to another folder, whose path is absolute.
func Link(folder *os.Root, target, name string) error { return folder.Symlink(target, name) }

// ReplaceLink gives a link another name, and takes the place of a link that has it.
func ReplaceLink(folder *os.Root, from, to string) error { return folder.Rename(from, to) }
