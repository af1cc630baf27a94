//go:build unix

package unpack

import "os"

// makeStaging makes a folder that nobody else reaches, under a name that nothing has.
func makeStaging(dir, prefix string, _ Owner) (string, error) { return os.MkdirTemp(dir, prefix+"*") }
