package scm

import (
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/windows/registry"
)

// parameters is where each service may have some in the registry. They go with it.
func parameters(service string) string {
	return `SYSTEM\CurrentControlSet\Services\` + service + `\Parameters`
}

// SetParameters has the manager remember texts with a service, by their names.
func SetParameters(service string, values map[string]string) error {
	key, _, err := registry.CreateKey(registry.LOCAL_MACHINE, parameters(service), registry.SET_VALUE)
	if err != nil {
		return fmt.Errorf("opening its parameters: %w", err)
	}
	for name, value := range values {
		err = errors.Join(err, key.SetStringValue(name, value))
	}
	return errors.Join(err, key.Close())
}

// Parameter is what is remembered by that name; empty where nothing is.
func Parameter(service, name string) (string, error) {
	key, err := registry.OpenKey(registry.LOCAL_MACHINE, parameters(service), registry.QUERY_VALUE)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("opening its parameters: %w", err)
	}
	defer key.Close() //nolint:errcheck // nothing was written to it
	text, _, err := key.GetStringValue(name)
	if errors.Is(err, registry.ErrNotExist) {
		return "", nil
	}
	return text, err
}
