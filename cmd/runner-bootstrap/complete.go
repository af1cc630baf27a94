package main

import (
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
)

// addCompletions has a shell complete the values of all options below a command. Only a shell that asks needs them.
func addCompletions(parent *cobra.Command, call *session) {
	for _, command := range parent.Commands() {
		addCompletions(command, call)
		if len(call.groups[command]) == 0 {
			continue
		}
		if command.ValidArgsFunction == nil {
			command.ValidArgsFunction = cobra.NoFileCompletions
		}
		for _, o := range optionsFor(commandKey(command), call.groups[command]) {
			complete := func(_ *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
				return o.completed(call, command, begun)
			}
			_ = command.RegisterFlagCompletionFunc(o.name, complete) // each is registered once
		}
	}
}

// completed are the values that an option may have which begin so.
func (o option) completed(call *session, command *cobra.Command, begun string) ([]string, cobra.ShellCompDirective) {
	switch {
	case o.name == "name":
		call.running, call.options = command, call.groups[command]
		return installedNames(call), cobra.ShellCompDirectiveNoFileComp
	case len(o.among)+len(o.choices) > 0 && o.list != nil:
		done := begun[:strings.LastIndex(begun, ",")+1]
		var all []string
		for _, value := range o.among {
			if !slices.Contains(strings.Split(done, ","), value) {
				all = append(all, done+value)
			}
		}
		return all, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	case len(o.among)+len(o.choices) > 0:
		return append(o.among, o.choices...), cobra.ShellCompDirectiveNoFileComp
	case o.value == "FILE":
		return nil, cobra.ShellCompDirectiveDefault
	case o.value == "DIR":
		return nil, cobra.ShellCompDirectiveFilterDirs
	case o.value == "COMMAND":
		return nil, cobra.ShellCompDirectiveDefault
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

// installedNames are the runners of this host, as far as the caller may know of them.
func installedNames(call *session) []string {
	place := optionsOf[placeOptions](call)
	if place.dir == "" {
		place.dir = os.Getenv(option{name: "dir"}.variable())
	}
	dir, err := place.absolute()
	if err != nil {
		return nil
	}
	records, err := instance.NewStore(instance.DefaultPaths(dir).State).List()
	if err != nil {
		return nil
	}
	names := make([]string, 0, len(records))
	for _, record := range records {
		names = append(names, record.Name)
	}
	return names
}
