package main

import (
	"os"
	"slices"
	"strings"
)

const inputPrefix = "ACTIONS_RUNNER_INPUT_"

// options are what the command line and the environment ask for. The command line wins.
type options struct {
	values  map[string]string
	flags   map[string]bool
	unknown []string
}

// optionNames are the options with a value and those without, that a command takes.
func optionNames(command string) (values, flags []string) {
	flags = []string{"version", "commit", "help", "check"}
	switch command {
	case "configure":
		values = []string{
			"url", "token", "pat", "name", "runnergroup", "labels", "work", "monitorsocketaddress",
			"windowslogonaccount", "windowslogonpassword", "auth", "username",
		}
		flags = append(flags, "unattended", "replace", "disableupdate", "ephemeral", "no-default-labels",
			"generateserviceconfig", "runasservice")
	case "remove":
		values = []string{"token", "pat", "auth", "username"}
		flags = append(flags, "local")
	default:
		values = []string{"jitconfig", "startuptype"}
		flags = append(flags, "once")
	}
	return values, flags
}

// parseOptions follows actions/runner source, CommandLineParser.cs: the first of two wins, names know no case, and what
// begins with a hyphen is no value.
func parseOptions(command string, args []string) options {
	values, flags := optionNames(command)
	o := options{values: map[string]string{}, flags: map[string]bool{}}
	for i := 0; i < len(args); i++ {
		name, isOption := strings.CutPrefix(args[i], "--")
		name = strings.ToLower(name)
		value := ""
		if i+1 < len(args) && !strings.HasPrefix(args[i+1], "-") && slices.Contains(values, name) {
			i++
			value = args[i]
		}
		switch {
		case isOption && slices.Contains(values, name):
			if _, again := o.values[name]; !again {
				o.values[name] = strings.TrimSpace(value)
			}
		case isOption && slices.Contains(flags, name):
			o.flags[name] = true
		default:
			o.unknown = append(o.unknown, strings.TrimPrefix(args[i], "--"))
		}
	}
	o.fromEnvironment(values, flags)
	return o
}

// fromEnvironment takes the inputs out of the environment, so that no child of this program has them.
func (o *options) fromEnvironment(values, flags []string) {
	for _, entry := range os.Environ() {
		key, value, _ := strings.Cut(entry, "=")
		if len(key) < len(inputPrefix) || !strings.EqualFold(key[:len(inputPrefix)], inputPrefix) {
			continue
		}
		// A variable that was listed a moment ago can be removed.
		_ = os.Unsetenv(key)
		name := strings.ToLower(key[len(inputPrefix):])
		value = strings.TrimSpace(value)
		switch {
		case slices.Contains(values, name):
			if o.values[name] == "" {
				o.values[name] = value
			}
		case slices.Contains(flags, name):
			// .NET's notion of a boolean: "1" is none.
			o.flags[name] = o.flags[name] || strings.EqualFold(value, "true")
		}
	}
}

func (o options) value(name string) string { return o.values[name] }

func (o options) flag(name string) bool { return o.flags[name] }
