package main

import (
	"slices"
	"strings"
	"time"
)

// option is one option, declared by its group and nowhere else: flags,
// environment variables, keys of the configuration file, help, the manual page
// and the README's table are made from it.
type option struct {
	_ [0]func() // none is compared with another: this spares the program the code for it, once for each length of a table

	name     string
	value    string // what its value is called in help; empty for a switch
	usage    string
	windows  string // what is said on Windows instead; empty: the same
	only     exclusive
	fallback string // its default, as it would be typed
	// choices are the only values that it can have. Typed without a value, as a switch, it has the first.
	choices  []string
	under    heading  // its part of help
	short    string   // a letter that is the same as its name; most have none
	among    []string // the only values that it, or each of its list, can have
	commands string   // which commands have it, separated by blanks; "cache-list" is cache list
	given    given    // what root does with the path that it is; zero for what is none
	once     bool     // it is about one call: a later install that is not told of it does not keep it

	// Exactly one of these is where its value goes.
	text  *string
	on    *bool
	list  *[]string // separated by commas, or given again
	lines *[]string // one in each, or given again
	span  *span
	count *count
}

// span is where a time goes, and how short it may be.
type span struct {
	at    *time.Duration
	least time.Duration
}

// count is where a whole number goes, and between what it is; no most is mostCount.
type count struct {
	at          *int
	least, most int
}

// group is a struct of options that are about one thing. A command is made with
// the groups that it takes, and of these it has the options that name it.
type group interface {
	options() []option
}

// declaredOptions are all options, in the order of help: each group once.
func declaredOptions() []option {
	return optionsIn(
		&scopeOptions{}, &nameOptions{}, &countOptions{},
		&credentialOptions{}, &issuedOptions{},
		&identityOptions{}, &registrationOptions{},
		&lifecycleOptions{}, &reportOptions{},
		&accountOptions{}, &placeOptions{},
		&sourceOptions{},
		&networkOptions{},
		&resumeOptions{}, &sealOptions{}, &keepOptions{}, &userDataOptions{}, &filterOptions{}, &pruneOptions{}, &repairOptions{},
		&everyOptions{}, &removalOptions{}, &hasteOptions{}, &showOptions{},
		&outputOptions{}, &againOptions{}, &callOptions{}, &patienceOptions{},
	)
}

func optionsIn(groups ...group) []option {
	var all []option
	for _, g := range groups {
		under := headingOf(g)
		for _, o := range g.options() {
			o.under = under
			all = append(all, o)
		}
	}
	return all
}

// optionsFor are the options that command has of its groups, in the order of
// help.
func optionsFor(command string, groups []group) []option {
	return chosenOptions(declaredOptions(), command, groups)
}

// chosenOptions does so for one who has the declared options already.
func chosenOptions(declared []option, command string, groups []group) []option {
	given := optionsIn(groups...)
	places := make(map[string]*option, len(given))
	for i := range slices.Backward(given) { // the first of a name counts
		places[given[i].name] = &given[i]
	}
	var all []option
	for i := range declared {
		if o := places[declared[i].name]; o != nil && declared[i].of(command) {
			all = append(all, *o)
		}
	}
	return all
}

// optionsOf is one group of the command that runs; one with the defaults if the
// command does not take it. It is for what several commands do, and for hints.
func optionsOf[T any](call *session) *T {
	for _, g := range call.options {
		if found, ok := any(g).(*T); ok {
			return found
		}
	}
	none := new(T)
	if g, ok := any(none).(group); ok {
		setDefaults(g)
	}
	return none
}

// setDefaults gives all options of the groups their defaults, those that the command
// does not have as well: run downloads, and has no --connections.
func setDefaults(groups ...group) {
	for _, option := range optionsIn(groups...) {
		if option.fallback != "" {
			_ = (&binding{option: option}).Set(option.fallback) // a test sets every default
		}
	}
}

// environmentPrefix stands before the names of our own variables.
const environmentPrefix = "RUNNER_BOOTSTRAP_"

// variable is the option's environment variable.
func (o option) variable() string {
	return environmentPrefix + strings.ToUpper(strings.ReplaceAll(o.name, "-", "_"))
}

// of tells whether the option belongs to command. What looks at the configuration takes what install takes.
func (o *option) of(command string) bool {
	if command == "config-show" || command == "config-validate" {
		if o.name == "dry-run" || o.name == "json" && command == "config-validate" {
			return false
		}
		command = "install"
	}
	for word := range strings.FieldsSeq(o.commands) {
		if word == command {
			return true
		}
	}
	return false
}

// The commands that have the same options, for their declarations.
const (
	runnerCommands = "install uninstall status run drain restart logs"
	scopeCommands  = "runners-list runners-get runners-delete runners-prune labels-list labels-add labels-set labels-remove " +
		"labels-clear groups-list downloads token-registration token-remove jitconfig"
	networkCommands    = "install cloud-init uninstall status prepare doctor " + scopeCommands
	credentialCommands = networkCommands + " run"
	everyCommand       = runnerCommands + " list cloud-init prepare doctor cache-list cache-prune " + scopeCommands
)
