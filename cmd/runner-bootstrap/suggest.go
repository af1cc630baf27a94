package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/pattern"
	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
)

// nearby is how many letters a word may differ in from the one that was meant.
const nearby = 2

// unknownCommand is what cobra says of a word that is no command.
var unknownCommand = pattern.New(`^unknown command "([^"]*)"`)

// misspelled makes of cobra's words about a command that is none an error that names the one that was meant, if there is one.
func misspelled(call *session, root *cobra.Command, err error) error {
	if err == nil {
		return nil
	}
	match := unknownCommand.FindStringSubmatch(err.Error())
	if match == nil || errors.Is(err, errUsage) {
		return err
	}
	return noCommandOf(call, root, match[1])
}

// noCommandOf says that below a command there is none of that name. Its hint has the nearest one in its place.
func noCommandOf(call *session, under *cobra.Command, word string) error {
	path := strings.TrimPrefix(strings.TrimPrefix(under.CommandPath(), programName), " ")
	unknown := &usageError{text: fmt.Sprintf("unknown command %q", strings.TrimSpace(path+" "+shown(word))), hint: pointerToHelp(path)}
	meant := nearestCommands(under, word)
	at := slices.Index(call.arguments, word)
	if len(meant) == 0 || at < 0 {
		return unknown
	}
	// Behind its family, as it was meant, and before the options, which are the command's.
	behind := len(strings.Fields(path))
	if call.arguments[0] == "help" {
		behind++
	}
	arguments := slices.Insert(slices.Delete(slices.Clone(call.arguments), at, at+1), min(at, behind), meant[0])
	unknown.text += "; did you mean " + strings.Join(meant, " or ") + "?"
	unknown.hint = repeated(call, arguments, unknown.hint)
	return unknown
}

// noMember is what a family does by itself: say that one of its commands is missing.
func noMember(call *session, family *cobra.Command, arguments []string) error {
	if len(arguments) > 0 {
		return noCommandOf(call, family, arguments[0])
	}
	return errors.Join(family.Help(), &usageError{text: family.Name() + " needs a command", hint: pointerToHelp(family.Name())})
}

// nearestCommands are those whose names are most like the word.
func nearestCommands(under *cobra.Command, word string) []string {
	under.SuggestionsMinimumDistance = nearby
	names := under.SuggestionsFor(word)
	slices.SortStableFunc(names, func(a, b string) int { return apart(a, word) - apart(b, word) })
	for i, name := range names {
		if apart(name, word) > apart(names[0], word) {
			return names[:i]
		}
	}
	return names
}

// repeated is a corrected command, or instead something else where there may be a secret in it: what nobody has understood may be one.
func repeated(call *session, arguments []string, instead string) string {
	for _, word := range arguments {
		_, value, _ := strings.Cut(word, "=")
		for _, text := range []string{word, value} {
			if secret.New(text).Kind() != secret.UnknownKind {
				return instead
			}
		}
	}
	return again(call, arguments)
}

// shown is a word that nobody has understood, as it may be told: it may be a secret.
func shown(word string) string {
	if secret.New(word).OfGitHub() || isKey(word) {
		return "TOKEN"
	}
	return secret.Hide(word)
}

// pointerToHelp explains a command, or all of them.
func pointerToHelp(path string) string {
	if path == "" {
		return programName + " help"
	}
	return programName + " " + path + " --help"
}

// noFlag says what is wrong with a flag of a command, and names the one that was meant.
func noFlag(call *session, c *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return badValue(call, c, err)
	}
	if c.HasSubCommands() {
		return flagTooSoon(call, c, unknown)
	}
	name, typed := unknown.GetSpecifiedName(), "--"+unknown.GetSpecifiedName()
	if short := unknown.GetSpecifiedShortnames(); short != "" {
		name, typed = short, "-"+short
	}
	name, _, _ = strings.Cut(name, "=")
	typed, _, _ = strings.Cut(typed, "=")
	text := "there is no option " + typed
	meant := nearestFlag(c.Flags(), name)
	if meant == "" {
		return &usageError{text: text}
	}
	arguments := slices.Clone(call.arguments)
	for i, word := range arguments {
		if rest, found := strings.CutPrefix(word, typed); found && (rest == "" || rest[0] == '=') {
			arguments[i] = "--" + meant + rest
		}
	}
	hint := ""
	if !aboutSecret(c.Flags(), meant) {
		hint = repeated(call, arguments, "")
	}
	return &usageError{text: text + "; did you mean --" + meant + "?", hint: hint}
}

// aboutSecret tells whether what is typed behind an option that nobody understood may be a secret of any form, as behind --toke.
func aboutSecret(flags *pflag.FlagSet, name string) bool {
	bound, ok := flags.Lookup(name).Value.(*binding)
	return !ok || bound.given == givenSecret // the other one is --token
}

// flagTooSoon is about an option before the command that it belongs to, or without any.
func flagTooSoon(call *session, c *cobra.Command, unknown *pflag.NotExistError) error {
	path := strings.TrimPrefix(strings.TrimPrefix(c.CommandPath(), programName), " ")
	words := call.arguments[min(len(call.arguments), len(strings.Fields(path))):]
	if word := firstAlone(words); word != "" && path != "" {
		return noCommandOf(call, c, word)
	}
	text := "a command is missing"
	if name := unknown.GetSpecifiedName(); name != "" {
		text += ": --" + name + " stands behind one"
	}
	return &usageError{text: text, hint: pointerToHelp(path)}
}

// firstAlone is the first word that is neither an option nor the value of one; empty if there is none.
func firstAlone(words []string) string {
	for i := 0; i < len(words); i++ {
		name, isOption := strings.CutPrefix(words[i], "--")
		if !isOption && !strings.HasPrefix(words[i], "-") {
			return words[i]
		}
		if slices.ContainsFunc(declaredOptions(), func(o option) bool { return o.name == name && o.value != "" && len(o.choices) == 0 }) {
			i++
		}
	}
	return ""
}

// dashes are what editors of text make of "--" and "-".
const dashes = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"

// dashed is about a word that begins with another dash than an option does; nil for any other word.
func dashed(call *session, c *cobra.Command, words []string) error {
	i := slices.IndexFunc(words, func(word string) bool { return word != "" && strings.IndexAny(word, dashes) == 0 })
	if i < 0 {
		return nil
	}
	word := words[i]
	typed, _, _ := strings.Cut(word, "=") // what follows may be a secret
	refused := &usageError{
		text: fmt.Sprintf("unexpected argument %q: an option begins with \"--\", and not with \"%c\"", shown(typed), []rune(word)[0]),
	}
	name, at := strings.TrimLeft(typed, dashes+"-"), slices.Index(call.arguments, word)
	if at >= 0 && c.Flags().Lookup(name) != nil && !aboutSecret(c.Flags(), name) {
		meant := "--" + name + strings.TrimPrefix(word, typed)
		refused.hint = repeated(call, slices.Replace(slices.Clone(call.arguments), at, at+1, meant), "")
	}
	return refused
}

// stray is about a word that stands alone where a command takes none: an address is meant for --url, and the name of
// a runner that is there for --name.
func stray(call *session, c *cobra.Command, word string) error {
	if err := dashed(call, c, []string{word}); err != nil {
		return err
	}
	text, at := fmt.Sprintf("unexpected argument %q", shown(word)), slices.Index(call.arguments, word)
	open := func(option string) bool { return c.Flags().Lookup(option) != nil && !c.Flags().Changed(option) }
	option, value := "", word
	switch meant := meantScope(word); {
	case at < 0, secret.New(word).Kind() != secret.UnknownKind:
	case c.HasParent() && c.Parent().Name() == "config" && open("config"):
		option = "--config"
	case meant != "" && open("url"):
		option, value = "--url", meant
	case instance.CheckName(word) == nil && open("name") && c.Name() != "install" && c.Name() != "cloud-init": // which make runners
		option = "--name"
	}
	if option == "" {
		return &usageError{text: text}
	}
	arguments := slices.Replace(slices.Clone(call.arguments), at, at+1, option, value)
	return &usageError{text: text + "; did you mean " + option + "?", hint: repeated(call, arguments, "")}
}

// meantScope is the URL of a scope that a word is, or seems to be; empty for any other word.
func meantScope(word string) string {
	_, err := github.ParseScope(word, "")
	var wrong *github.ScopeError
	switch {
	case err == nil:
		return word
	case errors.As(err, &wrong):
		return wrong.Meant
	}
	return ""
}

// nearestFlag is the option whose name is most like the one that was typed; empty if none is.
func nearestFlag(flags *pflag.FlagSet, typed string) string {
	best, least := "", max(1, min(nearby, len(typed)/3))+1 //nolint:mnd // a third of a short word would be another one
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		away := apart(typed, f.Name)
		if begins := len(typed) > nearby && (strings.HasPrefix(f.Name, typed) || strings.HasSuffix(f.Name, typed)); begins {
			away = min(away, 1)
		}
		if away < least && away < len(typed) {
			best, least = f.Name, away
		}
	})
	return best
}

// apart is in how many letters two words differ: those that are left out, added, put for another or exchanged with the next.
func apart(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			other := 1
			if a[i-1] == b[j-1] {
				other = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+other)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}

// newHelp explains a command, or all.
func newHelp(call *session) *cobra.Command {
	return &cobra.Command{
		Use: "help [COMMAND]", Short: "Explain a command", Hidden: true, Long: "Explain a command.\n\nWithout one, lists them.",
		ValidArgsFunction: func(c *cobra.Command, arguments []string, typed string) ([]string, cobra.ShellCompDirective) {
			about, _, err := c.Root().Find(arguments)
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var names []string
			for _, one := range about.Commands() {
				if one.IsAvailableCommand() && strings.HasPrefix(one.Name(), typed) {
					names = append(names, cobra.CompletionWithDesc(one.Name(), one.Short))
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, arguments []string) error {
			about, rest, err := c.Root().Find(arguments)
			switch {
			case err != nil:
				return misspelled(call, c.Root(), err)
			case len(rest) > 0 && about.HasSubCommands():
				return noCommandOf(call, about, rest[0])
			case len(rest) > 0:
				return usagef("unexpected argument %q", shown(rest[0]))
			}
			return about.Help()
		},
	}
}
