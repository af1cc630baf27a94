//go:build !windows

package nt

// System is nothing where there is no Windows, and so are Programs and Proxy.
func System() []Fact { return nil }

// Programs is nothing here.
func Programs() []Fact { return nil }

// Proxy is nothing here.
func Proxy() string { return "" }
