package github

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

const (
	// defaultGroup is the id of the group Default, in every scope.
	defaultGroup     = 1
	defaultGroupName = "Default"
	maxGroupsNamed   = 20
)

// ErrGroupUnknown is matched by every [*UnknownGroupError].
var ErrGroupUnknown = errors.New("there is no such runner group")

// ErrNoGroups means that groups of a repository were asked for: only
// organizations and enterprises have them.
var ErrNoGroups = errors.New("a repository has no runner groups")

// Group is a runner group of an organization or an enterprise.
type Group struct {
	ID         int64  `json:"id"`
	Name       string `json:"name"`
	Visibility string `json:"visibility"` // "all", "selected" or "private"
	Default    bool   `json:"default"`
	Inherited  bool   `json:"inherited"` // from the enterprise
	// Public tells whether public repositories may use its runners.
	Public bool `json:"allows_public_repositories"`
}

// UnknownGroupError says which groups there are instead of the one asked for.
type UnknownGroupError struct {
	Group string // the name or id asked for
	Scope Scope
	Known []string
}

func (e *UnknownGroupError) Error() string {
	known := make([]string, 0, len(e.Known))
	for _, name := range e.Known[:min(len(e.Known), maxGroupsNamed)] {
		known = append(known, strconv.Quote(name))
	}
	list := strings.Join(known, ", ")
	switch more := len(e.Known) - len(known); {
	case more > 0:
		list += fmt.Sprintf(" and %d more", more)
	case list == "":
		list = "none"
	}
	return fmt.Sprintf("finding runner group %q of %s: %v; there are: %s", e.Group, e.Scope, ErrGroupUnknown, list)
}

// Is matches [ErrGroupUnknown].
func (e *UnknownGroupError) Is(target error) bool { return target == ErrGroupUnknown }

// Groups lists the runner groups of an organization or an enterprise; either
// all are returned or an error. [ErrNoGroups] for a repository.
func (c *Client) Groups(ctx context.Context) ([]Group, error) {
	const op = "listing runner groups"
	if c.scope.Kind == Repository {
		return nil, fmt.Errorf("%s of %s: %w", op, c.scope, ErrNoGroups)
	}
	return listed(ctx, c, request{op: op, suffix: "runner-groups"},
		func(p page) []Group { return p.Groups }, func(g Group) int64 { return g.ID })
}

// GroupID finds a group by its name, which ignores case; an empty name is the
// default group. An organization's own group goes before one of the same name
// that it inherits. [*UnknownGroupError] if there is none. A repository has the
// default group alone; asking for it, or for an empty name, sends nothing.
func (c *Client) GroupID(ctx context.Context, name string) (int64, error) {
	if name == "" || c.scope.Kind == Repository && strings.EqualFold(name, defaultGroupName) {
		return defaultGroup, nil
	}
	groups, err := c.Groups(ctx)
	if err != nil {
		return 0, err
	}
	var found *Group
	unknown := &UnknownGroupError{Group: name, Scope: c.scope}
	for i, group := range groups {
		unknown.Known = append(unknown.Known, group.Name)
		if strings.EqualFold(group.Name, name) && (found == nil || found.Inherited && !group.Inherited) {
			found = &groups[i]
		}
	}
	if found == nil {
		return 0, unknown
	}
	return found.ID, nil
}
