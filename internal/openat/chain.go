package openat

import (
	"fmt"
	"strings"
)

// Chain holds one directory of a tree open, and those above it. Entries come
// directory by directory, so a file costs one step and not a walk from the top.
//
// Each directory is opened from the one above it and must be there itself: one
// that was swapped for a link is not entered.
type Chain struct {
	Top *Dir // belongs to the caller
	// Names says that in the directories names are looked at and made, and nothing is read or opened.
	Names bool
	dir   string // of the last one; "" before the first
	names []string
	dirs  []*Dir
}

// At returns the directory dir, a clean path or ".". It stays open until the
// next call.
func (c *Chain) At(dir string) (*Dir, error) {
	if dir == "." {
		return c.Top, nil // what is open below may be wanted again
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
		above := c.Top
		if depth > 0 {
			above = c.dirs[depth-1]
		}
		enter := (*Dir).Enter
		if c.Names {
			enter = pass
		}
		next, err := enter(above, name)
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
func (c *Chain) cut(depth int) {
	for _, dir := range c.dirs[depth:] {
		dir.Close()
	}
	c.names, c.dirs = c.names[:depth], c.dirs[:depth]
}

// Close closes all but the top.
func (c *Chain) Close() {
	c.cut(0)
	c.dir = ""
}
