//go:build unix

package instance

import "path/filepath"

// controlBelow is for the sockets of runners below a directory.
func controlBelow(prefix string) string { return filepath.Join(prefix, "state", "control") }
