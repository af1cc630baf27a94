package instance

func systemPaths() Paths {
	return Paths{
		Config:  "/etc/runner-bootstrap/config.yaml",
		State:   "/var/lib/runner-bootstrap",
		Runners: "/opt/actions-runner",
		Cache:   "/var/cache/runner-bootstrap",
		Control: "/run/runner-bootstrap",
	}
}

// lifeName is the name of lives of the runner that has a service, or is of that name.
func lifeName(service string) string { return "listener." + service }
