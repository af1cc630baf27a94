//go:build !linux

package libraries

func heldBy(string) *HeldError { return nil }
