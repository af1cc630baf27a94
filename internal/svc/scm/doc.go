// Package scm speaks with the service control manager of Windows: it looks at services, starts, stops and removes them, and is the
// side of a service that answers to it. It is empty on other systems.
package scm
