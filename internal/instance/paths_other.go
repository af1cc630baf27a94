//go:build !linux && !windows

package instance

func systemPaths() Paths {
	return Paths{
		Config:  "/usr/local/etc/runner-bootstrap/config.yaml",
		State:   "/usr/local/var/lib/runner-bootstrap",
		Runners: "/usr/local/actions-runner",
		Cache:   "/usr/local/var/cache/runner-bootstrap",
		Control: "/var/run/runner-bootstrap",
	}
}

// lifeName is the name of lives of the runner that has a service, or is of that name.
func lifeName(service string) string { return "listener." + service }
