// Package jobobject starts a program of Windows within a job object, so that all that the program has started ends with it, and
// asks one for its end in the way of a console: by Ctrl-C. It is empty on other systems.
package jobobject
