package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/runner-bootstrap/runner-bootstrap/internal/transport"
)

const (
	maxLabels = 100
	maxLabel  = 256 // characters
)

// ErrLabels means that labels break GitHub's bounds and were not sent.
var ErrLabels = errors.New("labels that GitHub does not take")

// Labels lists a runner's labels, those that GitHub gave it included.
// [ErrNotFound] if there is no runner with this id.
func (c *Client) Labels(ctx context.Context, id int64) ([]Label, error) {
	return c.label(ctx, request{op: "listing the labels", method: http.MethodGet, suffix: labelsPath(id)}, id)
}

// AddLabels gives a runner 1 to 100 more labels and returns all it has then.
// Those it has already are left alone, so it may be repeated.
func (c *Client) AddLabels(ctx context.Context, id int64, names []string) ([]Label, error) {
	const op = "adding labels"
	if err := CheckLabels(names, 1); err != nil {
		return nil, fmt.Errorf("%s to runner %d of %s: %w", op, id, c.scope, err)
	}
	// What was added already does no harm, so this POST may be sent again.
	return c.label(transport.Repeatable(ctx), request{
		op: op, method: http.MethodPost, suffix: labelsPath(id), body: labelNames{names},
	}, id)
}

// SetLabels replaces a runner's own labels by 0 to 100 others and returns all it
// has then: those that GitHub gave it stay. It may be repeated.
func (c *Client) SetLabels(ctx context.Context, id int64, names []string) ([]Label, error) {
	const op = "setting the labels"
	if err := CheckLabels(names, 0); err != nil {
		return nil, fmt.Errorf("%s of runner %d of %s: %w", op, id, c.scope, err)
	}
	return c.label(ctx, request{
		op: op, method: http.MethodPut, suffix: labelsPath(id), body: labelNames{append([]string{}, names...)},
	}, id)
}

// ClearLabels takes all of a runner's own labels away and returns what is left:
// those that GitHub gave it. It may be repeated.
func (c *Client) ClearLabels(ctx context.Context, id int64) ([]Label, error) {
	return c.label(ctx, request{op: "clearing the labels", method: http.MethodDelete, suffix: labelsPath(id)}, id)
}

// RemoveLabel takes one label away and returns what is left. A label that the
// runner does not have is a success, so it may be repeated; names ignore case.
// [ErrUnprocessable] for a label that GitHub gave the runner, [ErrNotFound] if
// there is no runner with this id.
func (c *Client) RemoveLabel(ctx context.Context, id int64, name string) ([]Label, error) {
	op := fmt.Sprintf("removing label %q", name)
	// What GitHub has it may have got from elsewhere: a name that we would not send can be taken away.
	if err := checkText(name); err != nil {
		return nil, fmt.Errorf("%s of runner %d of %s: %w", op, id, c.scope, err)
	}
	if climbs(name) {
		// What stands between GitHub and us could take such a name for a way
		// upwards, to the runner itself. Only one that is there is worth it.
		if left, err := c.Labels(ctx, id); err != nil || !labelled(left, name) {
			return left, err
		}
	}
	left, err := c.label(ctx, request{op: op, method: http.MethodDelete, suffix: labelsPath(id) + "/" + escaped(name)}, id)
	if errors.Is(err, ErrNotFound) {
		// It may be the label that is not found, or the runner.
		if now, nowErr := c.Labels(ctx, id); nowErr == nil && !labelled(now, name) {
			return now, nil
		}
	}
	return left, err
}

type labelNames struct {
	Labels []string `json:"labels"`
}

func (c *Client) label(ctx context.Context, r request, id int64) ([]Label, error) {
	var answer struct {
		Labels *[]Label `json:"labels"`
	}
	r.op += " of runner " + strconv.FormatInt(id, 10)
	r.want, r.answer = http.StatusOK, &answer
	if err := c.do(ctx, r); err != nil {
		return nil, err
	}
	if answer.Labels == nil {
		return nil, fmt.Errorf("%s of %s: %w: it holds no labels", r.op, c.scope, ErrNotGitHub)
	}
	return *answer.Labels, nil
}

func labelsPath(id int64) string { return runnerPath(id) + "/labels" }

// Distinct gives labels as GitHub keeps them: without the blanks around them, and
// each once, whatever its case.
func Distinct(names []string) []string {
	var all []string
	for _, name := range names {
		name = strings.TrimSpace(name)
		if !slices.ContainsFunc(all, func(known string) bool { return strings.EqualFold(known, name) }) {
			all = append(all, name)
		}
	}
	return all
}

// Lacks names those of the labels asked for that are not among labels.
func Lacks(labels []Label, asked []string) []string {
	return slices.DeleteFunc(Distinct(asked), func(name string) bool { return labelled(labels, name) })
}

func labelled(labels []Label, name string) bool {
	return slices.ContainsFunc(labels, func(l Label) bool { return strings.EqualFold(l.Name, name) })
}

// CheckLabels refuses what GitHub does not take, or would not keep as it is: too
// few or too many labels, one that is empty, longer than 256 characters, no
// UTF-8, or has a control character or a comma, which separates labels where a
// runner is registered. [ErrLabels] says which.
func CheckLabels(names []string, least int) error {
	if len(names) < least || len(names) > maxLabels {
		return fmt.Errorf("%w: %d of them, and not %d to %d", ErrLabels, len(names), least, maxLabels)
	}
	for _, name := range names {
		if err := checkText(name); err != nil {
			return err
		}
		switch length := utf8.RuneCountInString(name); {
		case length > maxLabel:
			return TooLong(name, length)
		case strings.ContainsFunc(name, unicode.IsControl):
			return fmt.Errorf("%w: %q has a control character", ErrLabels, oneLine(name, maxTitle))
		case strings.Contains(name, ","):
			return fmt.Errorf("%w: %q has a comma, which separates labels", ErrLabels, oneLine(name, maxTitle))
		}
	}
	return nil
}

// TooLong refuses a label that has so many characters, by whatever count.
func TooLong(name string, length int) error {
	return fmt.Errorf("%w: %q has %d characters, over %d", ErrLabels, oneLine(name, maxTitle), length, maxLabel)
}

func checkText(name string) error {
	switch {
	case strings.TrimSpace(name) == "":
		return fmt.Errorf("%w: an empty one", ErrLabels)
	case !utf8.ValidString(name):
		return fmt.Errorf("%w: %q is not UTF-8", ErrLabels, oneLine(name, maxTitle))
	}
	return nil
}

// climbs tells whether a name, taken for a part of a path, would lead upwards or
// stay where it is.
func climbs(name string) bool {
	return slices.ContainsFunc(strings.FieldsFunc(name, func(r rune) bool { return r == '/' || r == '\\' }),
		func(part string) bool { return part == "." || part == ".." })
}

// escaped is a name as one segment of a path. [url.PathEscape] leaves dots alone,
// and a segment of dots alone would be taken out of the path on its way.
func escaped(name string) string {
	segment := url.PathEscape(name)
	if climbs(name) {
		segment = strings.ReplaceAll(segment, ".", "%2E")
	}
	return segment
}
