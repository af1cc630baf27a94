package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
)

// errUsage is matched by every mistake in the call: exit code 2.
var errUsage = errors.New("usage")

// usageError is a mistake in the call that says what to type instead.
type usageError struct {
	text string
	hint string   // a command; empty for the command's help
	file string   // that is to be another one
	more []string // an option, with its value, with which the same command would do
	when mending
}

func (e *usageError) Error() string        { return e.text }
func (e *usageError) Is(target error) bool { return target == errUsage }

func usagef(format string, values ...any) error {
	return &usageError{text: fmt.Sprintf(format, values...)}
}

// notYet is about what an option names, and what somebody may be going to bring: a file that is not there, or that is empty.
func notYet(format string, values ...any) error {
	return &usageError{text: fmt.Sprintf(format, values...), when: later}
}

// unread is why something that an option names could not be read.
func unread(err error, format string, values ...any) error {
	if errors.Is(err, fs.ErrNotExist) {
		return notYet(format, values...)
	}
	return usagef(format, values...)
}

// binding is an option as a flag of one command.
type binding struct {
	option
	typed string
	words []string // all that it was set to
	from  string   // a variable's name, a place in the file, or an earlier install; empty for a flag and for the default
}

// Type is what help calls the value.
func (b *binding) Type() string {
	if b.value == "" {
		return "bool"
	}
	return b.value
}

// String is the value as it would be typed.
func (b *binding) String() string { return b.typed }

// Set takes a value from a flag, a variable or the file.
func (b *binding) Set(typed string) error {
	if b.isSecret(typed) {
		return errSecretTyped
	}
	if err := b.checkQuotes(typed); err != nil {
		return err
	}
	b.typed, b.words = typed, append(b.words, typed)
	return b.put(typed)
}

// put has a value where it goes.
func (b *binding) put(typed string) error {
	switch {
	case len(b.choices) > 0:
		choice, err := b.choose(typed)
		b.typed, *b.text = choice, choice
		return b.refused(err)
	case b.text != nil && len(b.among) > 0:
		word, err := b.oneOf(typed)
		*b.text = word
		return b.refused(err)
	case b.text != nil:
		*b.text = typed
	case b.list != nil:
		for word := range strings.FieldsFuncSeq(typed, func(r rune) bool { return r == ',' || r == '\n' }) {
			if word = strings.TrimSpace(word); word == "" {
				continue
			}
			if len(b.among) > 0 {
				var err error
				if word, err = b.oneOf(word); err != nil {
					return b.refused(err)
				}
			}
			*b.list = append(*b.list, word)
		}
	case b.lines != nil:
		for line := range strings.Lines(typed) {
			// What ends a value may be meant, and a line's end is not.
			if line = strings.TrimLeft(strings.TrimRight(line, "\r\n"), " \t"); line != "" {
				*b.lines = append(*b.lines, line)
			}
		}
	case b.on != nil:
		on, err := readSwitch(typed)
		*b.on = on
		return b.refused(err)
	case b.count != nil:
		count, err := b.readCount(typed)
		*b.count.at = count
		return b.refused(err)
	case b.span != nil:
		span, err := b.readTime(typed)
		*b.span.at = span
		return b.refused(err)
	}
	return nil
}

// choose reads a choice. One that is read as a switch is the first, or none.
func (o option) choose(typed string) (string, error) {
	if choice := strings.ToLower(typed); choice == "" || slices.Contains(o.choices, choice) {
		return choice, nil
	}
	on, err := readSwitch(typed)
	if err != nil || !on {
		return "", err
	}
	return o.choices[0], nil
}

// readSwitch reads on and off as people write them, in YAML too.
func readSwitch(typed string) (on bool, err error) {
	switch strings.ToLower(typed) {
	case "yes", "on":
		return true, nil
	case "no", "off":
		return false, nil
	}
	return strconv.ParseBool(strings.ToLower(typed))
}

// spanUnits are the units of a time as people write them, in those that [time.ParseDuration] has.
var spanUnits = strings.NewReplacer( //nolint:gochecknoglobals // a table
	"seconds", "s", "second", "s", "secs", "s", "sec", "s", "minutes", "m", "minute", "m", "mins", "m", "min", "m",
	"hours", "h", "hour", "h", "hrs", "h", "hr", "h", "days", "d", "day", "d",
)

// readSpan reads a time with its unit: 90s, 1h30m, 2d, "15 minutes". A number alone could be anything.
func readSpan(typed string) (time.Duration, error) {
	words := strings.Fields(strings.ToLower(typed))
	for i, word := range words[:max(0, len(words)-1)] {
		if unicode.IsLetter(rune(word[len(word)-1])) && unicode.IsLetter(rune(words[i+1][0])) {
			return 0, errors.New("a unit without its number")
		}
	}
	text := spanUnits.Replace(strings.Join(words, ""))
	days, rest, found := strings.Cut(text, "d")
	if !found {
		return time.ParseDuration(text)
	}
	count, err := strconv.ParseUint(days, 10, 16)
	if err != nil {
		return 0, err
	}
	span := time.Duration(count) * 24 * time.Hour
	if rest == "" {
		return span, nil
	}
	more, err := time.ParseDuration(rest)
	if err == nil && (more < 0 || rest[0] == '+') {
		err = errors.New("what follows days is added to them")
	}
	return span + more, err
}

// commandKey is what declarations call a command: "install", "cache-list".
func commandKey(command *cobra.Command) string {
	_, path, _ := strings.Cut(command.CommandPath(), " ")
	return strings.ReplaceAll(path, " ", "-")
}

// typedCommand is what a person types for a key of commandKey.
func typedCommand(key string) string {
	if key == "cloud-init" {
		return key // one word
	}
	return strings.ReplaceAll(key, "-", " ")
}

// joined lets an option that is typed alone as well have its value behind a blank, as all others have: --replace always.
func joined(arguments []string) []string {
	var words []string
	for i := 0; i < len(arguments); i++ {
		word := arguments[i]
		if word == "--" {
			return append(words, arguments[i:]...)
		}
		choices := []string{plan.ReplaceOffline, plan.ReplaceAlways}
		if next := i + 1; word == "--replace" && next < len(arguments) && slices.Contains(choices, arguments[next]) {
			word += "=" + arguments[next]
			i = next
		}
		words = append(words, word)
	}
	return words
}

// addOptions gives command its flags, which fill the places of its options.
func addOptions(command *cobra.Command, options []option) {
	flags := command.Flags()
	flags.SortFlags = false
	for _, option := range options {
		bound := &binding{option: option}
		flag := flags.VarPF(bound, option.name, option.short, option.usage)
		flag.Hidden = option.foreign(commandKey(command))
		if option.on != nil {
			flag.NoOptDefVal = "true"
		}
		if len(option.choices) > 0 {
			flag.NoOptDefVal = option.choices[0]
		}
		if option.fallback != "" {
			bound.typed, flag.DefValue = option.fallback, option.fallback // its place has it by setDefaults
		}
	}
	// Accepted so that it can be answered; see refuseToken.
	flags.String("token", "", "")
	_ = flags.MarkHidden("token")
}

// resolve fills what no flag has set from the environment, and then from the
// configuration file.
func resolve(command *cobra.Command, call *session) error {
	if err := refuseToken(call, command.Flags()); err != nil {
		return err
	}
	for _, name := range []string{"dir", "config", "timeout"} {
		if err := fromEnvironment(command.Flags(), name); err != nil {
			return err
		}
	}
	options := optionsFor(commandKey(command), call.options)
	// Before what they lead to is read.
	if err := call.checkGiven(options, "dir", "config"); err != nil {
		return err
	}
	file, err := readSettings(command.Context(), call)
	if err != nil {
		return err
	}
	for _, option := range options {
		if err := fromEnvironment(command.Flags(), option.name); err != nil {
			return err
		}
		if err := fromFile(command.Flags(), option.name, file); err != nil {
			return misread(call, err)
		}
	}
	if err := refuseForeign(call, options); err != nil {
		return err
	}
	if err := recall(call, options, len(file) > 0); err != nil {
		return err
	}
	return call.checkGiven(options)
}

func fromEnvironment(flags *pflag.FlagSet, name string) error {
	flag := flags.Lookup(name)
	if flag == nil || flag.Changed {
		return nil
	}
	variable := option{name: name}.variable()
	text, there := os.LookupEnv(variable)
	if !there || text == "" {
		return nil
	}
	if err := flags.Set(name, text); err != nil {
		return usagef("environment variable %s: value %q is %v", variable, shown(text), errors.Unwrap(err))
	}
	if bound, ok := flag.Value.(*binding); ok {
		bound.from = variable
	}
	return nil
}
