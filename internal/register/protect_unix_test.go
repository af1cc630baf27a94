//go:build unix

package register

// plain is what a runner reads of its key.
func plain(text []byte) ([]byte, error) { return text, nil }
