package tree

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// chain holds one directory of a tree open, and those above it. Entries come
// directory by directory, so a file costs one step and not a walk from the top.
//
// Each directory is opened from the one above it and must be there itself: one
// that was swapped for a link is not entered.
type chain struct {
	top   *os.Root // belongs to the caller
	dir   string   // of the last one; "" before the first
	names []string
	roots []*os.Root
}

// at returns the directory dir, a clean path or ".". It stays open until the
// next call.
func (c *chain) at(dir string) (*os.Root, error) {
	if dir == "." {
		return c.top, nil // what is open below may be wanted again
	}
	if dir == c.dir {
		return c.roots[len(c.roots)-1], nil
	}
	c.dir = ""
	depth, rest := 0, dir
	for rest != "" {
		var name string
		name, rest, _ = strings.Cut(rest, "/")
		if depth < len(c.names) && c.names[depth] == name {
			depth++
			continue
		}
		c.cut(depth)
		above := c.top
		if depth > 0 {
			above = c.roots[depth-1]
		}
		next, err := enter(above, name)
		if err != nil {
			return nil, fmt.Errorf("entering %q: %w", dir, err)
		}
		c.names, c.roots = append(c.names, name), append(c.roots, next)
		depth++
	}
	c.cut(depth)
	c.dir = dir
	return c.roots[depth-1], nil
}

// cut closes all but the first few.
func (c *chain) cut(depth int) {
	for _, root := range c.roots[depth:] {
		_ = root.Close()
	}
	c.names, c.roots = c.names[:depth], c.roots[:depth]
}

// close closes all but the top.
func (c *chain) close() {
	c.cut(0)
	c.dir = ""
}

// enter opens a directory in dir. os.Root follows links that stay inside, so
// what was opened is compared with what bears the name.
func enter(dir *os.Root, name string) (*os.Root, error) {
	next, err := dir.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	opened, err := next.Stat(".")
	if err == nil {
		var named fs.FileInfo
		named, err = dir.Lstat(name)
		if err == nil && !os.SameFile(opened, named) {
			err = errors.New("it is a link")
		}
	}
	if err != nil {
		_ = next.Close()
		return nil, err
	}
	return next, nil
}

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
