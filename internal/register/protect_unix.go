//go:build unix

package register

// protected is a file of a registration as the runner expects it.
func protected(_ string, text []byte) ([]byte, error) { return text, nil }
