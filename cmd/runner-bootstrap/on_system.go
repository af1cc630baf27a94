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
	return onWindows(command, strings.NewReplacer("./runner", `.\runner`, "'", `"`).Replace(strings.TrimPrefix(command, "sudo ")))
}

// The systems that alone have an option.
const (
	linuxAlone   = "Linux"
	windowsAlone = "Windows"
)

// exclusive says of an option which system alone has it, and why the others do not; its zero value that all have it.
type exclusive struct{ to, instead string }

// foreign tells whether an option is another system's. What user data is made of is the machine's that it is for.
func (o option) foreign(command string) bool {
	here := onWindows(linuxAlone, windowsAlone)
	return o.only.to != "" && o.only.to != here && (command != "cloud-init" || o.only.to == windowsAlone)
}

// refuseForeign says of an option that is another system's why this one does not have it.
func refuseForeign(call *session, options []option) error {
	for _, o := range options {
		if o.foreign(commandKey(call.running)) && call.given(o.name) {
			return usagef("--%s is for %s: here %s", o.name, o.only.to, o.only.instead)
		}
	}
	return nil
}
