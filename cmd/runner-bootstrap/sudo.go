package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/pattern"
	"github.com/runner-bootstrap/runner-bootstrap/internal/shell"
)

const programName = "runner-bootstrap"

// underSudo puts sudo before a command of this program, so that it is found: sudo
// looks where its secure_path says, which many distributions keep to the system's
// own directories.
//
// Variables are those of this call that it is to have as well.
func underSudo(command string, variables ...string) string {
	if rest, ours := strings.CutPrefix(command, programName); ours {
		command = sudoName() + rest
	}
	if len(variables) > 0 {
		command = "--preserve-env=" + strings.Join(variables, ",") + " " + command
	}
	return "sudo " + command
}

// asRoot is a command as root types it: on Windows in another terminal.
func rooted(call *session, command string, variables ...string) string {
	if on(call).AsRoot == "" {
		return command
	}
	return underSudo(command, variables...)
}

// behindSudo tells whether a network may have failed because a proxy is not known that the caller of sudo knows.
func behindSudo(err error) bool {
	return errors.Is(err, github.ErrNetwork) && os.Getenv("SUDO_USER") != "" && len(proxyVariables()) == 0
}

// proxyVariables are those by which this call reaches the network. Sudo drops them, unless it is told otherwise.
func proxyVariables() []string {
	var set []string
	for _, name := range []string{"http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"} {
		if os.Getenv(name) != "" {
			set = append(set, name)
		}
	}
	return set
}

// asCalled is a command for the next step as this call was made: who needed sudo for the one needs it for the other, and
// sudo has found this program by its name if it was called by it.
func asCalled(command string) string {
	switch {
	case os.Getenv("SUDO_USER") == "":
		return command
	case os.Args[0] == programName:
		return "sudo " + command
	}
	return underSudo(command)
}

// commandsIn are the beginnings of the commands in a line of a shell.
var commandsIn = pattern.New(`(^|&& |\| |; )` + programName + ` [^&|;]*`)

// hintAsCalled is a hint whose calls of this program are made as this one was. Help needs nobody's rights.
func hintAsCalled(hint string) string {
	if os.Getenv("SUDO_USER") == "" {
		return hint
	}
	return commandsIn.Regexp().ReplaceAllStringFunc(hint, func(found string) string {
		i := strings.Index(found, programName)
		if strings.Contains(found, "--help") || strings.HasSuffix(strings.TrimSpace(found), " help") {
			return found
		}
		return found[:i] + asCalled(found[i:])
	})
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
	return shell.Quote(path)
}
