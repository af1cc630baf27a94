// Package namedpipe makes named pipes of Windows, and waits for who connects to one. It is empty on other systems.
package namedpipe
