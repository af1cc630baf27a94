package main

import (
	"runtime"
	"strings"
)

// onWindows is what help says where Windows differs: the second text there, and the first one everywhere else.
func onWindows(others, windows string) string {
	if runtime.GOOS == "windows" {
		return windows
	}
	return others
}

// typedHere is a command of an example as it is typed here.
func typedHere(command string) string {
	return onWindows(command, strings.ReplaceAll(strings.TrimPrefix(command, "sudo "), "./runner", `.\runner`))
}
