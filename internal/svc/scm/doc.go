// Package scm puts one program under the service control manager of Windows and takes it away again, with the service that its jobs
// run in, and is the side of a service that answers to it. Each call of the manager, by the name of a service, is here as well. It is
// empty on other systems.
package scm
