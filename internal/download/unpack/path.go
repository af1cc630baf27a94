package unpack

import "strings"

// split returns the directory and the last part of a clean path. It does what
// package path does, without cleaning once more.
func split(name string) (dir, base string) {
	i := strings.LastIndexByte(name, '/')
	if i < 0 {
		return ".", name
	}
	return name[:i], name[i+1:]
}

func above(name string) string {
	dir, _ := split(name)
	return dir
}

func last(name string) string {
	_, base := split(name)
	return base
}
