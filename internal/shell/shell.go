// Package shell writes commands for people to paste into the shell of their system, and runs lines in it.
package shell

// Quote writes a word as the shell of this system reads it.
func Quote(word string) string { return Here().Quote(word) }
