// Package lifehost has a service of Windows keep one life of a program: the listener of a runner with its jobs, under the account
// that the service has. An agent, which is another service, starts it through the service manager and speaks with it through a
// pipe. The agent needs no password for that, and no call that Windows does not document. It is empty on other systems.
package lifehost
