package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/pattern"
	"github.com/runner-bootstrap/runner-bootstrap/internal/places"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
)

// mostCount is the largest number of an option that has no bound of its own.
const mostCount = 65535

var (
	errOutOfRange = errors.New("out of range")
	errTooShort   = errors.New("too short")
)

// oneOf reads one of the values that the option can have, in capitals or not.
func (o *option) oneOf(typed string) (string, error) {
	word := strings.ToLower(typed)
	if slices.Contains(o.among, word) || word == "" && o.fallback == "" {
		return word, nil
	}
	return "", strconv.ErrSyntax
}

// readCount reads a whole number within the bounds of the option.
func (o *option) readCount(typed string) (int, error) {
	n, err := strconv.ParseUint(typed, 10, 16)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, errOutOfRange
	case err == nil && (int(n) < o.count.least || int(n) > o.count.greatest()):
		err = errOutOfRange
	}
	return int(n), err
}

func (c *count) greatest() int {
	if c.most > 0 {
		return c.most
	}
	return mostCount
}

// example is a number that would be taken.
func (c *count) example() int {
	const few = 2
	return min(c.greatest(), max(c.least, few))
}

// readTime reads a time that is as long as the option needs it.
func (o *option) readTime(typed string) (time.Duration, error) {
	took, err := readSpan(typed)
	switch {
	case err == nil && took < 0:
		err = errOutOfRange
	case err == nil && took < o.span.least:
		err = errTooShort
	}
	return took, err
}

// refused is what is wrong with a value, and what would be right.
func (b *binding) refused(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errTooShort):
		return fmt.Errorf("too short; it is at least %s, such as 90s or 15m", b.span.least)
	case errors.Is(err, errOutOfRange):
		return errors.New(err.Error() + b.example())
	}
	return errors.New("not understood" + b.example()) // without the name of the function that did not understand it
}

// quotes are those that editors of text make of " and ', and that no shell takes away.
const quotes = "\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u00ab\u00bb\u2039\u203a"

// checkQuotes refuses a value, or one of a list, that begins with a quote of an editor. A group may be called so, and what is
// one line in a text of several is nobody's word.
func (b *binding) checkQuotes(typed string) error {
	if b.name == "runnergroup" || b.lines != nil {
		return nil
	}
	for word := range strings.SplitSeq(typed, ",") {
		if word = strings.TrimSpace(word); word != "" && strings.IndexAny(word, quotes) == 0 {
			return fmt.Errorf("in quotes that no shell knows (%c): type \" or ' instead", []rune(word)[0])
		}
	}
	return nil
}

// example shows a value that would be understood.
func (b *binding) example() string {
	switch {
	case b.on != nil:
		return "; it is true or false"
	case len(b.choices) > 0:
		return "; it is " + either(b.choices)
	case len(b.among) > 0 && b.list != nil:
		return "; each is " + either(b.among)
	case len(b.among) > 0:
		return "; it is " + either(b.among)
	case b.span != nil:
		return "; it is a time with its unit, such as " + b.spanExample()
	case b.count != nil:
		return fmt.Sprintf("; it is a whole number from %d to %d, such as %d", b.count.least, b.count.greatest(), b.count.example())
	}
	return ""
}

// spanExample has the number that was typed, if that lacks a unit alone.
func (b *binding) spanExample() string {
	if n, err := strconv.ParseUint(b.typed, 10, 32); err == nil && n > 0 {
		return b.typed + "s or " + b.typed + "m"
	}
	return "90s or 15m"
}

// either lists words as a sentence has them.
func either(words []string) string {
	last := len(words) - 1
	if last == 0 {
		return words[0]
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// badValue is a flag whose value is refused, or that has none.
func badValue(call *session, c *cobra.Command, err error) error {
	var invalid *pflag.InvalidValueError
	var valueless *pflag.ValueRequiredError
	var odd *pflag.InvalidSyntaxError
	switch {
	case errors.As(err, &invalid):
		why := "not understood; it is true or false" // of a switch that is none of our options
		if _, ok := invalid.GetFlag().Value.(*binding); ok {
			why = errors.Unwrap(invalid).Error()
		}
		refused := &usageError{text: fmt.Sprintf("--%s: value %q is %s", invalid.GetFlag().Name, shown(invalid.GetValue()), why)}
		if errors.Is(err, errSecretTyped) {
			refused.hint = handOver(call, c, secret.New(invalid.GetValue()).Kind(), "--"+invalid.GetFlag().Name)
		}
		return refused
	case errors.As(err, &valueless):
		f := valueless.GetFlag()
		return usagef("--%s needs a value: --%s %s", f.Name, f.Name, f.Value.Type())
	case errors.As(err, &odd):
		return usagef("%q is no option", shown(odd.GetSpecifiedFlag()))
	}
	return usagef("%v", err)
}

// namesOption is how a refusal begins that is about an option.
var namesOption = pattern.New(`^--([a-z0-9-]+)`)

// optionBehind is the option that an error is about; empty where it tells none.
func optionBehind(err error) string {
	if match := namesOption.FindStringSubmatch(err.Error()); match != nil {
		return match[1]
	}
	for option, causes := range map[string][]error{
		"url":    {github.ErrScope},
		"name":   {instance.ErrName, plan.ErrTemplate},
		"labels": {github.ErrLabels, plan.ErrLabelTemplate},
		"work":   {places.ErrWorkName},
	} {
		if slices.ContainsFunc(causes, func(cause error) bool { return errors.Is(err, cause) }) {
			return option
		}
	}
	return ""
}

// placedError is a refusal of an option, with the place that the option is from.
type placedError struct {
	at  string
	err error
}

func (e *placedError) Error() string { return e.at + ": " + e.err.Error() }
func (e *placedError) Unwrap() error { return e.err }

// placed says where an option is from that is refused, unless it was typed.
func placed(call *session, err error) error {
	if err == nil {
		return nil
	}
	flag := call.running.Flags().Lookup(optionBehind(err))
	if flag == nil {
		return err
	}
	bound, ok := flag.Value.(*binding)
	switch {
	case !ok || bound.from == "" || bound.from == ofEarlier:
		return err
	case bound.from == bound.variable():
		return &placedError{"environment variable " + bound.from, err}
	}
	var usage *usageError
	if errors.As(err, &usage) && usage.hint == "" {
		err = misread(call, err)
	}
	return &placedError{"configuration file " + bound.from, err}
}
