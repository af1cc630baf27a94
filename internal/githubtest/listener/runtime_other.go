//go:build !linux

package main

// startRuntime: where there is no system-call filter, nothing is known to refuse what the runtime of .NET asks.
func startRuntime() bool { return true }
