// Package mounttest runs a test again in a process of its own, in which it may mount what nobody else sees. It is for tests alone.
package mounttest
