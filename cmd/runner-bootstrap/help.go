package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/runner-bootstrap/runner-bootstrap/internal/terminal"
)

// heading is a part of help, and of the README's table of options.
type heading string

// The parts, in the order in which they are needed.
const (
	headWhat       heading = "What it is about"
	headCredential heading = "Credential"
	headIdentity   heading = "Identity at GitHub"
	headLife       heading = "Life"
	headPlace      heading = "Place on this host"
	headSource     heading = "Source of the runner"
	headNetwork    heading = "Network"
	headCommand    heading = "Of this command"
	headOutput     heading = "Output and patience"
)

// headingOf is where a group of options stands.
func headingOf(g group) heading {
	switch g.(type) {
	case *scopeOptions, *nameOptions, *countOptions:
		return headWhat
	case *credentialOptions, *issuedOptions:
		return headCredential
	case *identityOptions, *registrationOptions:
		return headIdentity
	case *lifecycleOptions, *reportOptions:
		return headLife
	case *accountOptions, *placeOptions:
		return headPlace
	case *sourceOptions:
		return headSource
	case *networkOptions:
		return headNetwork
	case *outputOptions, *callOptions, *patienceOptions, *againOptions:
		return headOutput
	}
	return headCommand
}

// explained is what an option means, and its default.
func (o option) explained() string { return o.withDefault(o.meaning()) }

// meaning is what the option does on this system.
func (o option) meaning() string { return firstOf(onWindows("", o.windows), o.usage) }

func (o option) withDefault(text string) string {
	if o.fallback == "" {
		return text
	}
	return text + " (default " + o.fallback + ")"
}

// typedName is an option and what its value is called.
func (o option) typedName() string {
	name := "--" + o.name
	if o.short != "" {
		name = "-" + o.short + ", " + name
	}
	return strings.TrimSpace(name + " " + o.value)
}

const (
	helpWidth    = 80 // of help at a wider terminal, and where there is none
	leastWidth   = 40
	optionColumn = 26 // where the meaning of an option begins
)

// widthOf is how wide help may be.
func widthOf(out io.Writer) int {
	return min(max(cmp.Or(terminal.Columns(out), helpWidth), leastWidth), helpWidth)
}

// explain writes the help of a command.
func explain(call *session, c *cobra.Command) {
	width := widthOf(call.out)
	var b strings.Builder
	b.WriteString(reflowed(firstOf(c.Long, c.Short), width) + "\n\n")
	b.WriteString(usageOf(call, c, width))
	fmt.Fprint(call.out, b.String())
}

// usageOf is how a command is called.
func usageOf(call *session, c *cobra.Command, width int) string {
	var b strings.Builder
	b.WriteString("Usage:\n  " + c.CommandPath())
	if _, operands, found := strings.Cut(c.Use, " "); found {
		b.WriteString(" " + operands)
	}
	if c.HasAvailableSubCommands() {
		b.WriteString(" COMMAND\n\nCommands:\n")
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() {
				describe(&b, sub.Name(), sub.Short, 14, width)
			}
		}
		b.WriteString("\n" + strings.Join(terminal.Wrapped(`"`+c.CommandPath()+` COMMAND --help" explains a command.`, width), "\n") + "\n")
		return b.String()
	}
	b.WriteString(" [OPTION...]\n")
	if examples := examplesOf(commandKey(c)); len(examples) > 0 {
		b.WriteString("\nExamples:\n")
		for _, e := range examples {
			b.WriteString("  # " + strings.Join(terminal.Wrapped(e.about, width-4), "\n  # ") + "\n" +
				terminal.BrokenCommand(e.command, width) + "\n")
		}
	}
	options := slices.DeleteFunc(optionsFor(commandKey(c), call.groups[c]), func(o option) bool { return o.foreign(commandKey(c)) })
	for i, o := range options {
		if i == 0 || options[i-1].under != o.under {
			fmt.Fprintf(&b, "\n%s:\n", o.under)
		}
		describe(&b, o.typedName(), o.explained(), optionColumn, width)
	}
	return b.String()
}

// describe writes a word and what it means, which begins at a column, or below where there is no room for two.
func describe(b *strings.Builder, word, text string, column, width int) {
	if width < terminal.Narrow {
		column = 6
	}
	line := "  " + word
	lines := terminal.Wrapped(text, width-column)
	if len(line)+2 > column {
		b.WriteString(line + "\n")
		line = ""
	}
	for _, part := range lines {
		fmt.Fprintf(b, "%-*s%s\n", column, line, part)
		line = ""
	}
}

// reflowed wraps the paragraphs of a text, and leaves those that are indented, which are examples.
func reflowed(text string, width int) string {
	paragraphs := strings.Split(text, "\n\n")
	for i, paragraph := range paragraphs {
		if !strings.HasPrefix(paragraph, " ") {
			paragraphs[i] = strings.Join(terminal.Wrapped(paragraph, width), "\n")
		}
	}
	return strings.Join(paragraphs, "\n\n")
}
