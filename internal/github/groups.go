package github

import (
	"context"
	"encoding/json"
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
	// Restricted means that Workflows alone may use them.
	Restricted bool     `json:"restricted_to_workflows"`
	Workflows  []string `json:"selected_workflows"`
}

// UnmarshalJSON reads a group of a server that may not know of all fields: what it
// does not say is allowed.
func (g *Group) UnmarshalJSON(text []byte) error {
	type plain Group
	read := plain{Public: true}
	err := json.Unmarshal(text, &read)
	*g = Group(read)
	return err
}

// Closed tells whether nothing at all may use the group's runners.
func (g Group) Closed() bool { return g.Restricted && len(g.Workflows) == 0 }

// Limits says of which jobs the group's runners take none, in sentences; nil if
// they take them all. Jobs that they do not take wait for ever, without a word.
func (g Group) Limits() []string {
	var all []string
	switch {
	case g.Closed():
		const text = "runner group %q is restricted to selected workflows and none is selected: its runners get no job"
		return []string{fmt.Sprintf(text, g.Name)}
	case g.Restricted:
		all = append(all, fmt.Sprintf("runner group %q takes no jobs but those of the workflows %s", g.Name, quoted(g.Workflows)))
	}
	if !g.Public || g.Visibility == "private" {
		all = append(all, fmt.Sprintf("runner group %q takes no jobs of public repositories", g.Name))
	}
	return all
}

// quoted is a list for a sentence, cut where it is long.
func quoted(names []string) string {
	all := make([]string, 0, len(names))
	for _, name := range names[:min(len(names), maxGroupsNamed)] {
		all = append(all, strconv.Quote(name))
	}
	list := strings.Join(all, ", ")
	switch more := len(names) - len(all); {
	case more > 0:
		list += fmt.Sprintf(" and %d more", more)
	case list == "":
		list = "none"
	}
	return list
}

// UnknownGroupError says which groups there are instead of the one asked for.
type UnknownGroupError struct {
	Group string // the name or id asked for
	Scope Scope
	Known []string
}

func (e *UnknownGroupError) Error() string {
	return fmt.Sprintf("finding runner group %q of %s: %v; there are: %s", e.Group, e.Scope, ErrGroupUnknown, quoted(e.Known))
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
	group, err := c.FindGroup(ctx, name)
	return group.ID, err
}

// FindGroup is [Client.GroupID], with all there is to know of the group; it always
// asks.
func (c *Client) FindGroup(ctx context.Context, name string) (Group, error) {
	groups, err := c.Groups(ctx)
	if err != nil {
		return Group{}, err
	}
	var found *Group
	unknown := &UnknownGroupError{Group: name, Scope: c.scope}
	for i, group := range groups {
		unknown.Known = append(unknown.Known, group.Name)
		is := strings.EqualFold(group.Name, name) || name == "" && group.Default
		if is && (found == nil || found.Inherited && !group.Inherited) {
			found = &groups[i]
		}
	}
	if found == nil {
		return Group{}, unknown
	}
	return *found, nil
}
