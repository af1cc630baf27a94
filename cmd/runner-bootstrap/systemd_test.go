//go:build e2e && linux

package main

import "testing"

// TestSystemdScripts runs the scripts that need a real systemd and root. It is
// run inside the throw-away machine of test/e2e, never on a host that anybody
// needs.
func TestSystemdScripts(t *testing.T) { runScripts(t, "systemd") }
