//go:build !linux

package account

// HideMemory changes nothing here: other processes of the account can read this one's
// environment where the system lets them.
func HideMemory(...string) error { return nil }
