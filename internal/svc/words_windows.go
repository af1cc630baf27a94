package svc

// This file has what people and other programs call a service here, so that nobody else needs to know that.

// Noun is what a service is called here by its manager.
const Noun = "service"

// Folder is where the services of a host are described, in the registry.
func Folder() string { return `HKLM\SYSTEM\CurrentControlSet\Services` }

// Path is where a service is described; the name may have a pattern in it.
func Path(name string) string { return Folder() + `\` + name }

// StockName is the name under which GitHub's own scripts know a service: config.cmd reads it from the file .service of the
// runner's root.
func StockName(name string) string { return name }

// ShowLog is nothing: a log is in a file, which this program shows.
func ShowLog(string) []string { return nil }

// ShowDescription is the command by which somebody sees how a service is described.
func ShowDescription(name string) []string { return []string{"sc.exe", "qc", name} }

// ShowState is the command by which somebody sees how the service of an [Error] is.
func ShowState(refused *Error) []string { return []string{"sc.exe", "queryex", refused.Unit} }

// ShowFailed is the command by which somebody sees which services have failed.
func ShowFailed() []string { return []string{"sc.exe", "query", "state=", "inactive"} }

// ShowVersion is the command by which somebody sees which version the system has.
func ShowVersion() []string { return []string{"cmd.exe", "/c", "ver"} }

// PowerOffCommand is the command by which an administrator switches this host off.
func PowerOffCommand() []string { return []string{"shutdown.exe", "/s", "/t", "0"} }
