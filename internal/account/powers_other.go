//go:build !linux

package account

// Powers names nothing: where there is no sandbox, nobody expects one.
func (u User) Powers() []string { return nil }
