package main

import (
	"os"
	"path/filepath"
	"strings"
)

const programName = "runner-bootstrap"

// underSudo puts sudo before a command of this program, so that it is found: sudo
// looks where its secure_path says, which many distributions keep to the system's
// own directories.
func underSudo(command string) string {
	if rest, ours := strings.CutPrefix(command, programName); ours {
		command = sudoName() + rest
	}
	return "sudo " + command
}

// sudoName is what this program is called by under sudo: its name where every
// sudo finds it, else its path.
func sudoName() string {
	path, err := os.Executable()
	if err != nil {
		return programName
	}
	return nameFor(path, "/usr/sbin", "/usr/bin", "/sbin", "/bin")
}

// nameFor is the program's name if it is what is found by that in one of the
// directories, else its path.
func nameFor(path string, directories ...string) string {
	ours, err := os.Stat(path)
	for _, dir := range directories {
		found, foundErr := os.Stat(filepath.Join(dir, programName))
		if err == nil && foundErr == nil {
			if os.SameFile(ours, found) {
				return programName
			}
			break // sudo would start another one
		}
	}
	return shellWords([]string{path})
}
