package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
)

// earlier is what installs before this one were told of the runner that it is about. This one goes by it wherever it is told
// nothing else.
type earlier struct {
	record instance.Record // without a name if there was none
	kept   []string        // what this call has from it, as it would be typed
	told   bool            // that it has
}

// blamed says of a mistake in the call which of its options nobody has typed now.
func (e *earlier) blamed(err error) error {
	var usage *usageError
	if !errors.As(err, &usage) {
		return err
	}
	for _, option := range e.kept {
		if name, _, _ := strings.Cut(option, " "); strings.Contains(usage.text, name) {
			blamed := *usage
			blamed.text += "; " + option + " is of an earlier install, and --reset forgets it"
			return &blamed
		}
	}
	return err
}

// ofEarlier is where a value comes from that an earlier install was told.
const ofEarlier = "an earlier install"

// recall fills what this call was told nothing of with what an earlier install was told. What that one had from a
// configuration file is for the file to say, if this call has read it.
func recall(call *session, options []option, readFile bool) error {
	if !keepsEarlier(call) {
		return nil
	}
	dir, err := optionsOf[placeOptions](call).absolute()
	if err != nil {
		return err
	}
	records, err := instance.NewStore(instance.DefaultPaths(dir).State).List()
	if err != nil {
		return nil //nolint:nilerr // who cannot read them cannot install either, and is told so there
	}
	scope := optionsOf[scopeOptions](call)
	call.earlier.record = earlierOf(records, scope, optionsOf[nameOptions](call).name)
	if optionsOf[againOptions](call).reset {
		return recallName(call, options)
	}
	file := ""
	if readFile {
		file = configFile(call)
	}
	for _, kept := range call.earlier.record.Options {
		i := slices.IndexFunc(options, func(o option) bool { return o.name == kept.Name && !o.once })
		if i < 0 || call.given(kept.Name) || kept.File != "" && kept.File == file || insteadOf(call, kept.Name) {
			continue
		}
		if err := take(call, options[i], stillThere(call.earlier.record, kept)); err != nil {
			return err
		}
	}
	return nil
}

// recallName has a runner that is reset keep its name and what it belongs to: by these it is found.
func recallName(call *session, options []option) error {
	for _, kept := range call.earlier.record.Options {
		i := slices.IndexFunc(options, func(o option) bool { return o.name == kept.Name })
		if identifies := slices.Contains([]string{"url", "api-url", "name"}, kept.Name); !identifies || i < 0 || call.given(kept.Name) {
			continue
		}
		if err := take(call, options[i], []instance.Option{kept}); err != nil {
			return err
		}
	}
	return nil
}

// take has the call go by what an earlier one was told.
func take(call *session, o option, told []instance.Option) error {
	for _, one := range told {
		flag := call.running.Flags().Lookup(one.Name)
		for _, value := range one.Values {
			if err := call.running.Flags().Set(one.Name, value); err != nil {
				return &usageError{
					text: "--" + o.name + " of an earlier install: value " + value + " is " + errors.Unwrap(err).Error(),
					hint: againWith(call, "--reset"),
				}
			}
		}
		if bound, ok := flag.Value.(*binding); ok {
			bound.from = ofEarlier
			call.earlier.note(bound)
		}
	}
	return nil
}

// note has what is kept told; what the runner is found by goes without saying.
func (e *earlier) note(b *binding) {
	value := b.telling(b.words)
	switch {
	case b.name == "url" || b.name == "api-url" || b.name == "name":
		return
	case b.on != nil && value == "true":
		e.kept = append(e.kept, "--"+b.name)
	default:
		e.kept = append(e.kept, "--"+b.name+" "+value)
	}
}

// keepsEarlier tells whether the command that runs keeps what it is not told. A just-in-time configuration says itself what
// its runner is.
func keepsEarlier(call *session) bool {
	key := commandKey(call.running)
	brought := optionsOf[issuedOptions](call).jitConfigFile != "" || os.Getenv("RUNNER_BOOTSTRAP_JITCONFIG") != ""
	if !brought {
		text, err := systemdCredential("jitconfig")
		brought = err == nil && text != ""
	}
	return (key == "install" || key == "config-show") && !brought
}

// earlierOf is the record of the runner that an install is about which names so much of it: the only one that may be meant.
// Where several may be, it is the one that an install without --name makes.
func earlierOf(records []instance.Record, o *scopeOptions, name string) instance.Record {
	var found []instance.Record
	for _, record := range records {
		if o.url != "" {
			scope, err := github.ParseScope(o.url, o.apiURL)
			if err != nil || !scope.Same(record.ScopeURL) {
				continue
			}
		}
		if name == "" || name == record.Template || strings.EqualFold(name, record.Name) {
			found = append(found, record)
		}
	}
	sort.Slice(found, func(i, j int) bool { return found[i].Index < found[j].Index }) // the first is told first
	kinds := map[string]bool{}
	for _, record := range found {
		kinds[record.Template+" "+record.ScopeURL] = true
	}
	if len(kinds) > 1 {
		found = slices.DeleteFunc(found, func(record instance.Record) bool { return o.url == "" || record.Template != defaultTemplate })
	}
	if len(found) == 0 {
		return instance.Record{}
	}
	return found[0]
}

// insteadOf tells whether this call was given an option that takes the place of one that is not given.
func insteadOf(call *session, name string) bool {
	switch name {
	case "archive":
		return call.given("mirror") || call.given("runner-version")
	case "mirror", "mirror-header-file":
		return call.given("archive")
	case "sha256":
		return call.given("runner-version") || call.given("archive")
	case "runner-version":
		return call.given("archive")
	}
	return false
}

// stillThere is what an install was told, or what comes to the same. An archive may have gone: the runner that it made is
// here, and stays of its version.
func stillThere(record instance.Record, told instance.Option) []instance.Option {
	if told.Name != "archive" {
		return []instance.Option{told}
	}
	if _, err := os.Stat(strings.Join(told.Values, "")); !errors.Is(err, fs.ErrNotExist) {
		return []instance.Option{told}
	}
	version, digest := record.Target() // which may be on its way
	return []instance.Option{{Name: "runner-version", Values: []string{version}}, {Name: "sha256", Values: []string{digest}}}
}

// toRemember is what the next install is to know of the options of this one, in the order of help.
func toRemember(call *session) ([]instance.Option, error) {
	var all []instance.Option
	for _, o := range optionsFor(commandKey(call.running), call.options) {
		bound, ok := call.running.Flags().Lookup(o.name).Value.(*binding)
		if !ok || o.once || !call.given(o.name) {
			continue
		}
		values, err := bound.lasting()
		if err != nil {
			return nil, err
		}
		told := instance.Option{Name: o.name, Values: values}
		switch {
		case bound.from == ofEarlier:
			before := slices.IndexFunc(call.earlier.record.Options, func(e instance.Option) bool { return e.Name == o.name })
			if before >= 0 {
				told.File = call.earlier.record.Options[before].File
			}
		case bound.from != "" && bound.from != o.variable():
			told.File = configFile(call)
		}
		all = append(all, told)
	}
	return all, nil
}

// configFile is the configuration file of this call, whichever folder it was named from.
func configFile(call *session) string {
	name := configName(optionsOf[callOptions](call).config, optionsOf[placeOptions](call).dir)
	if absolute, err := filepath.Abs(name); err == nil {
		return absolute
	}
	return name
}

// lasting are the words that set an option, as another call would need them: it may be in another folder.
func (b *binding) lasting() ([]string, error) {
	words := b.words
	if b.list == nil && b.lines == nil {
		words = words[len(words)-1:]
	}
	if b.given == 0 && b.name != "archive" {
		return words, nil
	}
	all := make([]string, 0, len(words))
	for _, word := range words {
		if word != "" {
			absolute, err := filepath.Abs(word)
			if err != nil {
				return nil, usagef("--%s: %v", b.name, err)
			}
			word = absolute
		}
		all = append(all, word)
	}
	return all, nil
}

// changesSince are the options that this call has otherwise than the install before, without secrets.
func changesSince(call *session, now []instance.Option) []plan.OptionChange {
	before := call.earlier.record.Options
	var changes []plan.OptionChange
	for _, o := range optionsFor(commandKey(call.running), call.options) {
		was, is := told(before, o.name), told(now, o.name)
		if o.once || slices.Equal(was, is) {
			continue
		}
		if change := (plan.OptionChange{Name: o.name, Before: o.telling(was), After: o.telling(is)}); change.Before != change.After {
			changes = append(changes, change)
		}
	}
	return changes
}

func told(options []instance.Option, name string) []string {
	for _, one := range options {
		if one.Name == name {
			return one.Values
		}
	}
	return nil
}

// telling shows what an option is after it was set to words, by nothing to its default, without secrets.
func (o option) telling(words []string) string {
	one := o
	switch {
	case o.text != nil:
		one.text = new(string)
	case o.on != nil:
		one.on = new(bool)
	case o.list != nil:
		one.list = new([]string)
	case o.lines != nil:
		one.lines = new([]string)
	case o.span != nil:
		one.span = &span{at: new(time.Duration), least: o.span.least}
	case o.count != nil:
		one.count = &count{at: new(int), least: o.count.least, most: o.count.most}
	}
	bound := &binding{option: one}
	if len(words) == 0 && o.fallback != "" {
		words = []string{o.fallback}
	}
	for _, word := range words {
		if err := bound.Set(word); err != nil {
			return word // of another version of this program
		}
	}
	return cellOf(one.shown())
}
