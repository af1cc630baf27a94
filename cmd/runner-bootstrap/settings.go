package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/openfile"
)

// errUsage is matched by every mistake in the call: exit code 2.
var errUsage = errors.New("usage")

// usageError is a mistake in the call that says what to type instead.
type usageError struct {
	text string
	hint string // a command; empty for the command's help
}

func (e *usageError) Error() string        { return e.text }
func (e *usageError) Is(target error) bool { return target == errUsage }

func usagef(format string, values ...any) error {
	return &usageError{text: fmt.Sprintf(format, values...)}
}

// binding is an option as a flag of one command.
type binding struct {
	option
	typed string
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
	b.typed = typed
	switch {
	case b.text != nil:
		*b.text = typed
	case b.list != nil:
		for word := range strings.FieldsFuncSeq(typed, func(r rune) bool { return r == ',' || r == '\n' }) {
			if word = strings.TrimSpace(word); word != "" {
				*b.list = append(*b.list, word)
			}
		}
	case b.lines != nil:
		for line := range strings.Lines(typed) {
			if line = strings.TrimSpace(line); line != "" {
				*b.lines = append(*b.lines, line)
			}
		}
	case b.on != nil:
		on, err := strconv.ParseBool(typed)
		*b.on = on
		return bare(err)
	case b.count != nil:
		count, err := strconv.ParseUint(typed, 10, 16)
		*b.count = int(count)
		return bare(err)
	case b.span != nil:
		span, err := time.ParseDuration(typed)
		*b.span = span
		return bare(err)
	}
	return nil
}

// bare leaves out the name of the function that did not understand a value.
func bare(err error) error {
	if err == nil {
		return nil
	}
	return errors.New("not understood")
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

// addOptions gives command its flags, which fill its groups.
func addOptions(command *cobra.Command, groups []group) {
	flags := command.Flags()
	flags.SortFlags = false
	for _, option := range optionsFor(commandKey(command), groups) {
		bound := &binding{option: option}
		flag := flags.VarPF(bound, option.name, "", option.usage)
		if option.on != nil {
			flag.NoOptDefVal = "true"
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
	if err := refuseToken(command.Flags()); err != nil {
		return err
	}
	for _, name := range []string{"dir", "config"} {
		if err := fromEnvironment(command.Flags(), name); err != nil {
			return err
		}
	}
	options := optionsFor(commandKey(command), call.options)
	// Before what they lead to is read.
	if err := call.checkGiven(options, "dir", "config"); err != nil {
		return err
	}
	file, err := readConfig(command.Context(), optionsOf[callOptions](call).config, optionsOf[placeOptions](call).dir)
	if err != nil {
		return err
	}
	for _, option := range options {
		if err := fromEnvironment(command.Flags(), option.name); err != nil {
			return err
		}
		text, there := file[option.name]
		if there && !command.Flags().Changed(option.name) {
			if err := command.Flags().Set(option.name, text); err != nil {
				return usagef("configuration file: key %q: value %q is %v", option.name, text, errors.Unwrap(err))
			}
		}
	}
	return call.checkGiven(options)
}

// refuseToken answers the most common mistake: every account of the host can
// read the arguments of every process.
func refuseToken(flags *pflag.FlagSet) error {
	if !flags.Changed("token") {
		return nil
	}
	return &usageError{
		text: "a token among the arguments can be read by every account of this host; " +
			"revoke it, and hand it over by standard input or a file",
		hint: "gh auth token | runner-bootstrap install --url URL --token-file -",
	}
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
		return usagef("environment variable %s: value %q is %v", variable, text, errors.Unwrap(err))
	}
	return nil
}

// maxConfig is far more than a configuration file has.
const maxConfig = 1 << 20

// configText reads a file that was named as it is, be it a pipe; the one of a directory, in
// which others may write, as a plain file alone.
func configText(ctx context.Context, named, name string) ([]byte, error) {
	if named == "" {
		return openfile.Read(name, maxConfig)
	}
	ctx, cancel := context.WithTimeout(ctx, secretCommandTime)
	defer cancel()
	return openfile.ReadStream(ctx, name, maxConfig)
}

// readConfig reads the configuration file as one text for each key. Without a
// name it is the one of dir, which may be missing.
func readConfig(ctx context.Context, named, dir string) (map[string]string, error) {
	name := firstOf(named, instance.DefaultPaths(dir).Config)
	text, err := configText(ctx, named, name)
	// What only root may read is only for what root does.
	if named == "" && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission)) {
		return nil, nil //nolint:nilnil // no file is no setting
	}
	if err != nil {
		return nil, usagef("reading the configuration file: %v", err)
	}
	var raw map[string]any
	if err := yaml.Unmarshal(text, &raw); err != nil {
		return nil, usagef("reading configuration file %q: %v", name, err)
	}
	settings := make(map[string]string, len(raw))
	for key, value := range raw {
		if !slices.ContainsFunc(declaredOptions(), func(o option) bool { return o.name == key }) {
			return nil, unknownKey(name, key)
		}
		if settings[key], err = settingText(value); err != nil {
			return nil, usagef("configuration file %q: key %q: %v", name, key, err)
		}
	}
	return settings, nil
}

func unknownKey(file, key string) error {
	if key == "token" {
		return usagef("configuration file %q: a token does not belong into it; name a private file with the key \"token-file\"", file)
	}
	return usagef("configuration file %q: unknown key %q; the keys are the names of the options", file, key)
}

// settingText writes a YAML value as it would be typed. A mapping is taken as
// KEY=VALUE lines, for env.
func settingText(value any) (string, error) {
	switch v := value.(type) {
	case nil:
		return "", errors.New("it has no value")
	case []any:
		words := make([]string, 0, len(v))
		for _, word := range v {
			words = append(words, fmt.Sprint(word))
		}
		return strings.Join(words, "\n"), nil
	case map[string]any:
		var lines []string
		for key, word := range v {
			lines = append(lines, fmt.Sprintf("%s=%v", key, word))
		}
		slices.Sort(lines)
		return strings.Join(lines, "\n"), nil
	default:
		return fmt.Sprint(v), nil
	}
}
