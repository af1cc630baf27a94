package main

import (
	"os"
	"runtime"
	"slices"
	"sort"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/pattern"
)

// strangeVariable is a variable of the environment that seems to be meant for us, and that nothing reads.
type strangeVariable struct {
	name, meant string // meant may be empty
}

// ofOthers are variables with our prefix that are not read here: those of the installation scripts, and those that Kubernetes and
// Docker make of a service or a container called runner-bootstrap.
var ofOthers = pattern.New(`^RUNNER_BOOTSTRAP_(INSTALL_\w+|SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_\w+)?)$`)

// ownVariables are all variables that begin with our prefix and are read.
func ownVariables() []string {
	var names []string
	for _, o := range declaredOptions() {
		names = append(names, o.variable())
	}
	for _, name := range tokenVariableNames() {
		if strings.HasPrefix(name, environmentPrefix) {
			names = append(names, name)
		}
	}
	for _, source := range issuedSources(&issuedOptions{}) {
		for _, name := range source.variables {
			if strings.HasPrefix(name, environmentPrefix) {
				names = append(names, name)
			}
		}
	}
	return names
}

// strangeVariables finds in an environment, as [os.Environ] gives it, what was mistyped or is of another version of this program.
func strangeVariables(environment []string, foldsCase bool) []strangeVariable {
	known := ownVariables()
	var strange []strangeVariable
	for _, pair := range environment {
		name, value, _ := strings.Cut(pair, "=")
		upper := strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
		ours := strings.HasPrefix(upper, environmentPrefix)
		switch {
		case value == "", !ours && !strings.Contains(upper, "STRAP") && !strings.Contains(upper, "RUNNER"):
		case slices.Contains(known, name), foldsCase && slices.Contains(known, strings.ToUpper(name)), ofOthers.MatchString(upper):
		default:
			if meant := nearestVariable(upper, known); ours || meant != "" {
				strange = append(strange, strangeVariable{name, meant})
			}
		}
	}
	sort.Slice(strange, func(i, j int) bool { return strange[i].name < strange[j].name })
	return strange
}

// nearestVariable is the one that was probably meant; empty for none. The prefix is long, and no excuse for another word behind it.
func nearestVariable(typed string, known []string) string {
	plain := func(name string) string { return strings.ReplaceAll(name, "_", "") }
	best, least := "", mistyped+1
	for _, name := range known {
		if len(typed) > len(name)+mistyped+strings.Count(typed, "_") {
			continue
		}
		edits := apart(typed, name)
		if plain(typed) == plain(name) {
			edits = 0
		}
		word := strings.TrimPrefix(typed, environmentPrefix)
		if edits < least && (edits == 0 || word == typed || 2*edits < len(word)) {
			best, least = name, edits
		}
	}
	return best
}

// checkVariables tells of variables without effect. They are not refused: an environment is often set for several versions of a
// program, and by several hands. Who asks whether the configuration is right is told that it is not.
func checkVariables(call *session) error {
	for _, v := range strangeVariables(os.Environ(), runtime.GOOS == "windows") {
		if commandKey(call.running) == "config-validate" {
			return &usageError{text: "environment " + v.told(), hint: again(call, call.arguments)}
		}
		call.console.log.Warn(v.told()) //nolint:sloglint // a sentence
	}
	return nil
}

func (v strangeVariable) told() string {
	text := "variable " + v.name + " is unknown, and has no effect"
	if v.meant != "" {
		text += "; did you mean " + v.meant + "?"
	}
	return text
}
