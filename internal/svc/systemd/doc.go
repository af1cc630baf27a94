// Package systemd puts one program under systemd and takes it away again, and is what a program that systemd has started says to
// it: how it is, and its log, which goes on when the journal was away. Where systemd is not running, [Available] says what is, and
// nobody is told anything.
package systemd
