//go:build !linux

package jail

// FollowsMounts tells whether a life may be prepared long before it is used: here there is nothing to prepare.
func FollowsMounts() bool { return false }
