// Package terminal is what a person sees and types: lines that fit and that no foreign text can spoil, tables, a bar, questions
// whose answers are not shown. What has no terminal gets the same texts, unbroken.
package terminal
