// Package config reads a configuration file as text: what each key says is what is written there, and it is known
// where. YAML's own ideas of numbers, dates and truth change nothing: 24.10 stays 24.10, and 007 stays 007.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Place is where something stands in a file; both numbers begin at 1.
type Place struct {
	File         string
	Line, Column int // 0 if it is not known
}

// String is the place as editors and compilers write it.
func (p Place) String() string {
	switch {
	case p.Line == 0:
		return p.File
	case p.Column == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Error is what is wrong at a place.
type Error struct {
	Place

	Text string
}

// Error is one line.
func (e *Error) Error() string { return e.String() + ": " + e.Text }

// Errorf is an [Error] at this place.
func (p Place) Errorf(format string, values ...any) error {
	return &Error{Place: p, Text: fmt.Sprintf(format, values...)}
}

// Form is how the value of a key is written.
type Form int

const (
	// Scalar is one text.
	Scalar Form = iota
	// List has its texts one after the other.
	List
	// Map has a key for each of its texts.
	Map
)

// Setting is one key of a file with its value.
type Setting struct {
	Place // of the value

	Key   string
	At    Place // of the key
	Form  Form
	Items []Item // one of a Scalar
}

// Item is one text of a value.
type Item struct {
	Place

	Key  string // of a Map, else empty
	Text string // as it is written; without its quotes, and folded as YAML says
}

// maxMerges bounds how deep maps may be merged into others.
const maxMerges = 8

// Parse reads text, which name is for errors, and gives its settings in the order of the file. No setting at all is no error.
// Keys that are there twice, a second document, values in values, and values of nothing are an [*Error].
func Parse(name string, text []byte) ([]Setting, error) {
	root, err := document(name, text)
	if err != nil || root == nil {
		return nil, err
	}
	f := file{name: name}
	root = resolved(root)
	if root.Kind == yaml.ScalarNode && root.ShortTag() == nullTag && root.Value == "" {
		return nil, nil
	}
	if root.Kind != yaml.MappingNode {
		if at, found := wideBlankIn(text); found {
			return nil, at.in(name).Errorf(wideBlankText)
		}
		return nil, f.at(root).Errorf("a configuration file has a key and a value in each line, such as name: web-1")
	}
	var settings []Setting
	lines := map[string]int{} // of the keys that were there
	err = f.pairs(root, maxMerges, func(key *yaml.Node, value *yaml.Node, merged bool) error {
		if skip, err := f.seen(lines, key, merged); skip || err != nil {
			return err
		}
		s, err := f.setting(key, value)
		settings = append(settings, s)
		return err
	})
	if err != nil {
		return nil, err
	}
	return settings, nil
}

// document is the one document that a text may have; nil for none.
func document(name string, text []byte) (*yaml.Node, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var first, second yaml.Node
	switch err := decoder.Decode(&first); {
	case errors.Is(err, io.EOF):
		return nil, nil //nolint:nilnil // an empty file is no setting
	case err != nil:
		return nil, syntaxError(name, text, err)
	}
	switch err := decoder.Decode(&second); {
	case err == nil:
		return nil, Place{File: name, Line: second.Line, Column: second.Column}.
			Errorf("a second document begins here, and would not be read; a configuration file is one document")
	case !errors.Is(err, io.EOF):
		return nil, syntaxError(name, text, err)
	}
	if len(first.Content) == 0 {
		return nil, nil //nolint:nilnil // likewise
	}
	return first.Content[0], nil
}

// file is what is being read.
type file struct{ name string }

func (f file) at(n *yaml.Node) Place { return Place{File: f.name, Line: n.Line, Column: n.Column} }

// resolved follows an alias.
func resolved(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias // which is no alias itself
	}
	return n
}

const (
	nullTag  = "!!null"
	mergeTag = "!!merge"
)

// pairs calls do for each key of a mapping, and for those of the mappings that are merged into it after them.
func (f file) pairs(mapping *yaml.Node, depth int, do func(key, value *yaml.Node, merged bool) error) error {
	var others []*yaml.Node
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		key, value := mapping.Content[i], mapping.Content[i+1]
		if key.ShortTag() == mergeTag {
			found, err := f.merged(value)
			if err != nil {
				return err
			}
			others = append(others, found...)
			continue
		}
		key = resolved(key)
		if key.Kind != yaml.ScalarNode || key.ShortTag() == nullTag {
			return f.at(key).Errorf("a key is one word")
		}
		if err := do(key, value, false); err != nil {
			return err
		}
	}
	for _, other := range others {
		if depth == 0 {
			return f.at(mapping).Errorf("maps are merged into each other too deep")
		}
		err := f.pairs(other, depth-1, func(key, value *yaml.Node, _ bool) error { return do(key, value, true) })
		if err != nil {
			return err
		}
	}
	return nil
}

// merged are the mappings that the value of a merge key names.
func (f file) merged(value *yaml.Node) ([]*yaml.Node, error) {
	value = resolved(value)
	all := []*yaml.Node{value}
	if value.Kind == yaml.SequenceNode {
		all = value.Content
	}
	var mappings []*yaml.Node
	for _, one := range all {
		one = resolved(one)
		if one.Kind != yaml.MappingNode {
			return nil, f.at(one).Errorf("only a map can be merged into another")
		}
		mappings = append(mappings, one)
	}
	return mappings, nil
}

// seen refuses a key that was there before; one that is merged gives way, and is to be skipped.
func (f file) seen(lines map[string]int, key *yaml.Node, merged bool) (skip bool, err error) {
	line, found := lines[key.Value]
	switch {
	case !found:
		lines[key.Value] = key.Line
		return false, nil
	case merged:
		return true, nil
	}
	return false, f.at(key).Errorf("key %q is in line %d already", key.Value, line)
}

func (f file) setting(key, value *yaml.Node) (Setting, error) {
	s := Setting{Key: key.Value, At: f.at(key), Place: f.at(value)}
	value = resolved(value)
	switch value.Kind { //nolint:exhaustive // what is left is a text, or refused as one
	case yaml.SequenceNode:
		s.Form = List
		for _, one := range value.Content {
			item, err := f.item("", one)
			if err != nil {
				return s, err
			}
			s.Items = append(s.Items, item)
		}
		return s, f.untagged(value, "!!seq")
	case yaml.MappingNode:
		s.Form = Map
		if err := f.untagged(value, "!!map"); err != nil {
			return s, err
		}
		lines := map[string]int{}
		return s, f.pairs(value, maxMerges, func(key, one *yaml.Node, merged bool) error {
			if skip, err := f.seen(lines, key, merged); skip || err != nil {
				return err
			}
			item, err := f.item(key.Value, one)
			s.Items = append(s.Items, item)
			return err
		})
	}
	item, err := f.item("", value)
	s.Items = []Item{item}
	return s, err
}

// untagged refuses a tag that would have to be obeyed: another program may know what it means.
func (f file) untagged(n *yaml.Node, known ...string) error {
	if n.Style&yaml.TaggedStyle != 0 && !slices.Contains(known, n.ShortTag()) {
		return f.at(n).Errorf("tag %s is not known here", n.Tag)
	}
	return nil
}

// item is one text as it is written.
func (f file) item(key string, n *yaml.Node) (Item, error) {
	item := Item{Place: f.at(n), Key: key} // where an alias stands, and not what it stands for
	n = resolved(n)
	if n.Kind != yaml.ScalarNode {
		return item, item.Errorf("a value within a value is a text, and no list or map")
	}
	if err := f.untagged(n, "!!str", "!!int", "!!float", "!!bool", "!!timestamp"); err != nil {
		return item, err
	}
	if n.ShortTag() == nullTag && n.Style&yaml.TaggedStyle == 0 {
		if n.Value == "" {
			return item, item.Errorf(`it has no value; write "" for an empty one, or leave the key out`)
		}
		return item, item.Errorf("%[1]s is YAML's word for no value; write \"%[1]s\" for the text, or leave the key out", n.Value)
	}
	item.Text = n.Value
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		item.Text = strings.TrimSuffix(item.Text, "\n") // it ends the block, and is no part of a word
	}
	return item, nil
}

// Text writes value as a document of YAML, indented by two.
func Text(value any) (string, error) {
	var text strings.Builder
	encoder := yaml.NewEncoder(&text)
	encoder.SetIndent(2)
	if err := errors.Join(encoder.Encode(value), encoder.Close()); err != nil {
		return "", fmt.Errorf("writing YAML: %w", err)
	}
	return text.String(), nil
}

// Pair is one key of a file that is written.
type Pair struct {
	Key   string
	Value any // a text, a truth, a number, or a list of texts
}

// File writes a configuration file with its keys in the given order. [Parse] gives back what was written. Texts are to be UTF-8.
func File(pairs []Pair) (string, error) {
	mapping := &yaml.Node{Kind: yaml.MappingNode}
	for _, p := range pairs {
		value := &yaml.Node{}
		switch given := p.Value.(type) {
		case string:
			value = ended(Verbatim(given).node())
		case []string:
			value.Kind = yaml.SequenceNode
			for _, text := range given {
				value.Content = append(value.Content, ended(Verbatim(text).node()))
			}
		default:
			if err := value.Encode(given); err != nil {
				return "", fmt.Errorf("writing option %q: %w", p.Key, err)
			}
		}
		mapping.Content = append(mapping.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: p.Key}, value)
	}
	return Text(mapping)
}

// Verbatim is a text that [Text] writes so that every reader of YAML gets back each of its bytes. One that is not UTF-8 is
// written as binary.
type Verbatim string

// MarshalYAML implements the interface of the encoder.
func (v Verbatim) MarshalYAML() (any, error) {
	if !utf8.ValidString(string(v)) {
		return string(v), nil
	}
	return v.node(), nil
}

// node writes lines as a block, unless blanks at its begin would be taken for its indentation.
func (v Verbatim) node() *yaml.Node {
	n := &yaml.Node{}
	n.SetString(string(v))
	if strings.Contains(n.Value, "\n") && strings.ContainsAny(n.Value[:1], " \t\n") {
		n.Style = yaml.DoubleQuotedStyle
	}
	return n
}

// ended has a text in quotes whose last line break would be taken for the end of its block.
func ended(n *yaml.Node) *yaml.Node {
	if strings.HasSuffix(n.Value, "\n") {
		n.Style = yaml.DoubleQuotedStyle
	}
	return n
}
