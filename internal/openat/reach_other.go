//go:build !windows

package openat

// Reach returns name, as every name can be used here.
func (d *Dir) Reach(name, _ string) string { return name }
