package unpack

import (
	"fmt"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/openat"
)

// chain holds one directory of a tree open, and those above it. Entries come
// directory by directory, so a file costs one step and not a walk from the top.
//
// Each directory is opened from the one above it and must be there itself: one
// that was swapped for a link is not entered.
type chain struct {
	top   *openat.Dir // belongs to the caller
	dir   string      // of the last one; "" before the first
	names []string
	dirs  []*openat.Dir
}

// at returns the directory dir, a clean path or ".". It stays open until the
// next call.
func (c *chain) at(dir string) (*openat.Dir, error) {
	if dir == "." {
		return c.top, nil // what is open below may be wanted again
	}
	if dir == c.dir {
		return c.dirs[len(c.dirs)-1], nil
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
			above = c.dirs[depth-1]
		}
		next, err := above.Enter(name)
		if err != nil {
			return nil, fmt.Errorf("entering %q: %w", dir, err)
		}
		c.names, c.dirs = append(c.names, name), append(c.dirs, next)
		depth++
	}
	c.cut(depth)
	c.dir = dir
	return c.dirs[depth-1], nil
}

// cut closes all but the first few.
func (c *chain) cut(depth int) {
	for _, dir := range c.dirs[depth:] {
		dir.Close()
	}
	c.names, c.dirs = c.names[:depth], c.dirs[:depth]
}

// close closes all but the top.
func (c *chain) close() {
	c.cut(0)
	c.dir = ""
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
