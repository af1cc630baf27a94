package main

import (
	"runtime"
	"strings"
)

// said is a command as it is said on this system: that of Unix, on Windows with another name and other quotes.
func said(command string) string {
	if runtime.GOOS != "windows" {
		return command
	}
	return strings.NewReplacer("xdg-open ", "explorer ", "curl -", "curl.exe -", "sudo ", "", "--labels gpu,x ", `--labels "gpu,x" `, "'", `"`).Replace(command)
}
