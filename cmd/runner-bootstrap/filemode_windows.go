package main

// fileMode does nothing: Windows has no such mask.
func fileMode() {}
