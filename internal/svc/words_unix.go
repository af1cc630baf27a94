//go:build !windows

package svc

import "runtime"

// This file has what people and other programs call a service here, so that nobody else needs to know that.

// Noun is what a service is called here by its manager.
const Noun = "unit"

// Folder is where the units of services are.
func Folder() string { return "/etc/systemd/system" }

// Path is where the unit of a service is written; the name may have a pattern in it.
func Path(name string) string { return Folder() + "/" + StockName(name) }

// StockName is the name under which GitHub's own scripts know a service: svc.sh reads it from the file .service of the
// runner's root, and config.sh refuses to remove a runner that has one.
func StockName(name string) string { return name + ".service" }

// ShowLog is the command by which somebody reads the log of a service.
func ShowLog(name string) []string { return []string{"journalctl", "--no-pager", "-u", name} }

// ShowDescription is the command by which somebody sees how a service is described.
func ShowDescription(name string) []string {
	return []string{"systemctl", "cat", "--no-pager", StockName(name)}
}

// ShowState is the command by which somebody sees how the service of an [Error] is.
func ShowState(refused *Error) []string {
	return []string{"systemctl", "status", "--no-pager", refused.Unit}
}

// ShowFailed is the command by which somebody sees which services have failed.
func ShowFailed() []string { return []string{"systemctl", "--failed"} }

// ShowVersion is the command by which somebody sees which version the service manager has.
func ShowVersion() []string { return []string{"systemctl", "--version"} }

// PowerOffCommand is the command by which root switches this host off. On Linux it returns at once, and systemd stops the
// service that has called it like every other.
func PowerOffCommand() []string {
	switch runtime.GOOS {
	case "darwin":
		return []string{"/sbin/shutdown", "-h", "now"}
	default:
		return []string{"/bin/sh", "-c", "systemctl --no-block poweroff || poweroff"}
	}
}
