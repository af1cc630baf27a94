package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/runner-bootstrap/runner-bootstrap/internal/config"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/openfile"
)

// maxConfig is far more than a configuration file has.
const maxConfig = 1 << 20

// configText reads a file that was named as it is, be it a pipe; the one of a directory, in
// which others may write, as a plain file alone.
func configText(ctx context.Context, named, name string) ([]byte, error) {
	if named == "" {
		return openfile.Read(name, maxConfig)
	}
	return openfile.ReadStream(ctx, name, maxConfig)
}

// readSettings reads the configuration file of this call, and waits for what a pipe brings no longer than the call may take.
func readSettings(ctx context.Context, call *session) ([]config.Setting, error) {
	of := optionsOf[callOptions](call)
	ctx, cancel := context.WithTimeout(ctx, min(of.timeout, secretCommandTime))
	defer cancel()
	place := optionsOf[placeOptions](call)
	if _, err := place.absolute(); err != nil {
		return nil, err
	}
	name := configName(of.config, place.dir)
	text, err := configText(ctx, of.config, name)
	switch {
	case err == nil:
		settings, err := readConfig(name, text)
		if err == nil {
			err = checkKeys(call, settings)
		}
		return settings, misread(call, err)
	case of.config == "" && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission)):
		return nil, nil // what only root may read is only for what root does
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		err = fmt.Errorf("nothing came from %q within %v", name, min(of.timeout, secretCommandTime))
	}
	unread := &usageError{text: fmt.Sprintf("reading the configuration file: %v", err)}
	if of.config != "" {
		unread.hint = againWith(call, "--config", "FILE")
	}
	return nil, unread
}

// misread adds the command that says whether the file has been mended.
func misread(call *session, err error) error {
	var usage *usageError
	if !errors.As(err, &usage) {
		return err
	}
	words := []string{"config", "validate"}
	if name := optionsOf[callOptions](call).config; name != "" {
		words = append(words, "--config", name)
	}
	if dir := optionsOf[placeOptions](call).dir; dir != "" {
		words = append(words, "--dir", dir)
	}
	usage.hint = again(call, words)
	return usage
}

// readConfig reads the text of a configuration file, in which every key is an option that can be what its value says.
func readConfig(name string, text []byte) ([]config.Setting, error) {
	settings, err := config.Parse(name, text)
	if err != nil {
		return nil, configError(err)
	}
	declared := declaredOptions()
	for _, s := range settings {
		i := slices.IndexFunc(declared, func(o option) bool { return o.name == s.Key })
		if i < 0 {
			return nil, configError(unknownKey(s))
		}
		// Of an option that this command does not have as well: a mistake should show before it matters.
		if err := (&binding{option: declared[i]}).take(s); err != nil {
			return nil, configError(err)
		}
	}
	return settings, nil
}

// checkKeys refuses an install's file with a key of another command that is one letter away from one of its own, as label is
// from labels: it would be taken, and say nothing.
func checkKeys(call *session, settings []config.Setting) error {
	key := commandKey(call.running)
	if key != "install" && key != "config-show" && key != "config-validate" {
		return nil
	}
	own := optionsFor(key, call.options)
	for _, s := range settings {
		if slices.ContainsFunc(own, func(o option) bool { return o.name == s.Key }) {
			continue
		}
		for _, o := range own {
			there := slices.ContainsFunc(settings, func(other config.Setting) bool { return other.Key == o.name })
			if !there && apart(o.name, s.Key) == 1 {
				return configError(s.At.Errorf("key %q says nothing to install; is %q meant?", s.Key, o.name))
			}
		}
	}
	return nil
}

func configName(named, dir string) string {
	return firstOf(named, instance.DefaultPaths(dir).Config)
}

func configError(err error) error { return usagef("configuration file %v", err) }

func unknownKey(s config.Setting) error {
	if s.Key == "token" {
		return s.At.Errorf("a token does not belong into it; name a private file with the key \"token-file\"")
	}
	meant := strings.ToLower(strings.TrimLeft(strings.ReplaceAll(s.Key, "_", "-"), "-"))
	nearest, least := "", mistyped+1
	for _, o := range declaredOptions() {
		if strings.ReplaceAll(o.name, "-", "") == strings.ReplaceAll(meant, "-", "") {
			return s.At.Errorf("unknown key %q; it is called %q", s.Key, o.name)
		}
		if edits := apart(meant, o.name); edits < least && 2*edits < len(meant) {
			nearest, least = o.name, edits
		}
	}
	if nearest != "" {
		return s.At.Errorf("unknown key %q; is %q meant?", s.Key, nearest)
	}
	return s.At.Errorf("unknown key %q; the keys are the names of the options", s.Key)
}

// mistyped is how many letters of a key may be wrong for another one to be meant.
const mistyped = 2

// fromFile fills an option that nothing before has set.
func fromFile(flags *pflag.FlagSet, name string, settings []config.Setting) error {
	i := slices.IndexFunc(settings, func(s config.Setting) bool { return s.Key == name })
	flag := flags.Lookup(name)
	if i < 0 || flag == nil || flag.Changed {
		return nil
	}
	bound, ok := flag.Value.(*binding)
	if !ok {
		return nil
	}
	if err := bound.take(settings[i]); err != nil {
		return configError(err)
	}
	bound.from, flag.Changed = settings[i].At.String(), true
	return nil
}

// take is [binding.Set] for what a configuration file says. Every text of it is one value, and none is changed.
func (b *binding) take(s config.Setting) error {
	many := b.list != nil || b.lines != nil
	switch {
	case s.Form == config.List && !many:
		return s.Errorf("key %q has one value, and not a list of them", s.Key)
	case s.Form == config.Map && b.lines == nil:
		return s.Errorf("key %q has no map as its value", s.Key)
	}
	for _, item := range s.Items {
		text := item.Text
		if s.Form == config.Map {
			text = item.Key + "=" + text
		}
		if s.Form != config.Scalar {
			if err := b.whole(item, text); err != nil {
				return err
			}
		}
		if err := b.Set(text); err != nil {
			return item.Errorf("key %q: value %q is %v", s.Key, shown(item.Text), err)
		}
	}
	return nil
}

// whole refuses what would become several values, or none.
func (b *binding) whole(item config.Item, text string) error {
	switch {
	case strings.TrimSpace(text) == "":
		return item.Errorf("an empty value in a list")
	case strings.ContainsAny(text, "\r\n"):
		return item.Errorf("value %q has a line break, which it cannot keep", item.Text)
	case b.list != nil && strings.Contains(text, ","):
		return item.Errorf("value %q has a comma, which separates values; write two", item.Text)
	case text != strings.TrimLeft(text, " \t"), b.list != nil && text != strings.TrimSpace(text):
		return item.Errorf("value %q has blanks around it, which it cannot keep", item.Text)
	}
	return nil
}
