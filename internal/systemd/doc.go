// Package systemd is what a program that systemd has started says to it: how it is, and its log, which goes on when the journal
// was away. Elsewhere nobody is told anything.
package systemd
