package main

import "github.com/runner-bootstrap/runner-bootstrap/internal/instance"

// everyOptions say that a command is about all runners.
type everyOptions struct{ all bool }

func (o *everyOptions) options() []option {
	return []option{{
		name: "all", once: true, commands: "uninstall drain restart",
		usage: "every runner of this host",
		on:    &o.all,
	}}
}

// chosenRunners are the names of the runners that the options describe; none where there is none.
func chosenRunners(call *session, store *instance.Store, named string, o everyOptions) ([]string, error) {
	if o.all && call.typed("name") {
		return nil, usagef("--all and --name exclude each other")
	}
	if !o.all {
		name, err := call.theRunner(store, named)
		if name == "" || err != nil {
			return nil, err
		}
		return []string{name}, nil
	}
	records, err := store.List()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, record := range records {
		names = append(names, record.Name)
	}
	return names, nil
}
