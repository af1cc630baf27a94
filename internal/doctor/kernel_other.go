//go:build !linux

package doctor

func securityContext(string) string { return "" }
