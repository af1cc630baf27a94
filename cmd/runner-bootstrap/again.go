package main

import (
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
)

// again is the command that was typed, with more words, instead of an option that
// they give as well. The values of --env stay out of it, that of --status-webhook, and
// what looks like a token: a hint ends in logs, and they may be secrets.
func again(call *session, arguments []string, more ...string) string {
	words, previous := []string{"runner-bootstrap"}, ""
	for _, word := range without(arguments, more) {
		before, variable := "", word
		if joined, found := strings.CutPrefix(word, "--env="); found {
			before, variable = "--env=", joined
		}
		if before != "" || previous == "--env" {
			key, _, _ := strings.Cut(variable, "=")
			word = before + key + "=VALUE"
		}
		switch {
		case previous == "--status-webhook":
			word = "URL" // it is often secret as a whole
		case strings.HasPrefix(word, "--status-webhook="):
			word = "--status-webhook=URL"
		default:
			word = secret.Hide(word)
		}
		words, previous = append(words, word), word
	}
	return on(call).Words(append(words, more...)...)
}

// againWith is again with an option, where the command that runs has it: what mends one command is not always a word of another.
func againWith(call *session, more ...string) string {
	if call.running != nil && call.running.Flags().Lookup(strings.TrimPrefix(firstOf(more...), "--")) == nil {
		return again(call, call.arguments)
	}
	return again(call, call.arguments, more...)
}

// leaving is a command without options that have a value each.
func leaving(arguments []string, options ...string) []string {
	for _, option := range options {
		arguments = without(arguments, []string{option, ""})
	}
	return arguments
}

// replacing is a command with another word in the place of a value, be it joined to its option or behind it.
func replacing(arguments []string, value, by string) (words []string, found bool) {
	for _, word := range arguments {
		option, joined, _ := strings.Cut(word, "=")
		switch {
		case word == value:
			word, found = by, true
		case joined == value && strings.HasPrefix(option, "--"):
			word, found = option+"="+by, true
		}
		words = append(words, word)
	}
	return words, found
}

// without leaves out of arguments the option that begins more, and its value.
func without(arguments, more []string) []string {
	if len(more) != 2 || !strings.HasPrefix(more[0], "--") {
		return arguments
	}
	var kept []string
	for i := 0; i < len(arguments); i++ {
		switch {
		case arguments[i] == more[0]:
			i++
		case strings.HasPrefix(arguments[i], more[0]+"="):
		default:
			kept = append(kept, arguments[i])
		}
	}
	return kept
}
