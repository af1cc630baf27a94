//go:build unix

package account

import "context"

// DropProfile does nothing: an account of Unix has its home from who has made it.
func DropProfile(context.Context, string) error { return nil }
