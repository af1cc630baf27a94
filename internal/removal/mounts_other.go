//go:build !linux

package removal

// Mounts would list where something is mounted at a path or below it. That is seen here when it is removed.
func Mounts(string) ([]string, error) { return nil, nil }
