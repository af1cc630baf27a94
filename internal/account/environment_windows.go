package account

import (
	"cmp"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"

	"github.com/runner-bootstrap/runner-bootstrap/internal/pattern"
)

// variables are those of an environment by their names in upper case, each as "KEY=VALUE".
type variables map[string]string

func (v variables) add(entries ...string) {
	for _, entry := range entries {
		if key, _, found := strings.Cut(entry, "="); found && key != "" {
			v[strings.ToUpper(key)] = entry
		}
	}
}

func (v variables) set(key, value string) { v[strings.ToUpper(key)] = key + "=" + value }

func (v variables) get(key string) string {
	_, value, _ := strings.Cut(v[strings.ToUpper(key)], "=")
	return value
}

// expand puts the values of variables in the places of their names between percent signs. What has no value stays.
func (v variables) expand(text string) string {
	return between.Regexp().ReplaceAllStringFunc(text, func(found string) string {
		return cmp.Or(v.get(strings.Trim(found, "%")), found)
	})
}

var between = pattern.New("%[^%]+%")

// SearchPath is the PATH of this host, which [User.Environment] begins with: not that of this process.
func SearchPath() string { return machineEnvironment().get("PATH") }

// Environment is what a program of this account starts with: what this host sets for all
// accounts and for this one, who and where it is, and extra on top ("KEY=VALUE"). Nothing of
// our own environment is in it. The account's profile is dir where it has none yet, as jobs
// break without one.
func (u User) Environment(dir string, extra ...string) []string {
	all := machineEnvironment()
	u.addProfile(all, dir)
	u.addOwn(all)
	all.add(extra...)
	return slices.Sorted(maps.Values(all))
}

// addProfile says who the account is and where its profile lies, which may be on any drive.
func (u User) addProfile(all variables, dir string) {
	home := u.Home
	if !isFolder(home) {
		home = dir
	}
	domain, name, found := strings.Cut(u.Name, `\`)
	if !found {
		domain, name = all.get("COMPUTERNAME"), u.Name
	}
	all.set("USERNAME", name)
	all.set("USERDOMAIN", domain)
	all.set("USERPROFILE", home)
	all.set("APPDATA", filepath.Join(home, `AppData\Roaming`))
	all.set("LOCALAPPDATA", filepath.Join(home, `AppData\Local`))
	if drive := filepath.VolumeName(home); len(drive) == len("C:") { // a share has no letter
		all.set("HOMEDRIVE", drive)
		all.set("HOMEPATH", cmp.Or(home[len(drive):], `\`))
	}
	if temp := filepath.Join(all.get("LOCALAPPDATA"), "Temp"); isFolder(temp) {
		all.set("TEMP", temp)
		all.set("TMP", temp)
	}
}

// addOwn adds what the account has set for itself, as far as its part of the registry is there, which is so while it is
// logged on. Its PATH goes behind that of the host.
func (u User) addOwn(all variables) {
	path := all.get("PATH")
	for _, name := range []string{"Volatile Environment", "Environment"} {
		readStrings(registry.USERS, u.SID+`\`+name, func(key, text string) { all.set(key, all.expand(text)) })
	}
	if own := all.get("PATH"); own != path && own != "" {
		all.set("Path", strings.TrimSuffix(path, ";")+";"+own)
	}
	for _, key := range []string{"TEMP", "TMP"} {
		if !isFolder(all.get(key)) {
			all.set(key, all.get("SystemRoot")+`\TEMP`)
		}
	}
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// machineEnvironment is what all accounts of this host have, by the registry and not by any process. What that does not say
// is as it is by default: programs of Windows fail in odd ways without it, sockets and cryptography among them.
func machineEnvironment() variables {
	all := variables{}
	root, err := windows.GetSystemWindowsDirectory()
	if err != nil {
		root = `C:\Windows`
	}
	all.set("SystemRoot", root)
	all.set("SystemDrive", filepath.VolumeName(root))
	all.set("ComSpec", root+`\system32\cmd.exe`)
	all.set("PATHEXT", ".COM;.EXE;.BAT;.CMD;.VBS;.VBE;.JS;.JSE;.WSF;.WSH;.MSC")
	all.set("Path", root+`\system32;`+root+`;`+root+`\System32\Wbem;`+root+`\System32\WindowsPowerShell\v1.0\`)
	all.set("TEMP", root+`\TEMP`)
	all.set("TMP", root+`\TEMP`)
	all.set("OS", "Windows_NT")
	all.set("NUMBER_OF_PROCESSORS", strconv.Itoa(runtime.NumCPU()))
	all.set("PROCESSOR_ARCHITECTURE", map[string]string{"amd64": "AMD64", "arm64": "ARM64"}[runtime.GOARCH])
	if host, err := os.Hostname(); err == nil {
		all.set("COMPUTERNAME", strings.ToUpper(host))
	}
	all.addFolders()
	const set = `SYSTEM\CurrentControlSet\Control\Session Manager\Environment`
	readStrings(registry.LOCAL_MACHINE, set, func(key, text string) {
		if !strings.EqualFold(key, "USERNAME") { // that of the system
			all.set(key, all.expand(text))
		}
	})
	all.set("windir", root)
	return all
}

// addFolders says where programs and their data are.
func (v variables) addFolders() {
	drive := v.get("SystemDrive")
	for key, usually := range map[string]string{
		"ProgramData": `\ProgramData`, "ALLUSERSPROFILE": `\ProgramData`, "PUBLIC": `\Users\Public`,
		"ProgramFiles": `\Program Files`, "ProgramW6432": `\Program Files`, "ProgramFiles(x86)": `\Program Files (x86)`,
		"CommonProgramFiles": `\Program Files\Common Files`, "CommonProgramW6432": `\Program Files\Common Files`,
		"CommonProgramFiles(x86)": `\Program Files (x86)\Common Files`,
	} {
		v.set(key, drive+usually)
	}
	readStrings(registry.LOCAL_MACHINE, profiles, func(key, text string) {
		switch {
		case strings.EqualFold(key, "ProgramData"):
			v.set("ProgramData", v.expand(text))
			v.set("ALLUSERSPROFILE", v.expand(text))
		case strings.EqualFold(key, "Public"):
			v.set("PUBLIC", v.expand(text))
		}
	})
	called := map[string][]string{
		"PROGRAMFILESDIR": {"ProgramFiles", "ProgramW6432"}, "PROGRAMFILESDIR (X86)": {"ProgramFiles(x86)"},
		"COMMONFILESDIR": {"CommonProgramFiles", "CommonProgramW6432"}, "COMMONFILESDIR (X86)": {"CommonProgramFiles(x86)"},
	}
	readStrings(registry.LOCAL_MACHINE, `SOFTWARE\Microsoft\Windows\CurrentVersion`, func(key, text string) {
		for _, name := range called[strings.ToUpper(key)] {
			v.set(name, v.expand(text))
		}
	})
}

// readStrings gives the texts in a key of the registry; none where there is no such key.
func readStrings(root registry.Key, path string, each func(name, text string)) {
	key, err := registry.OpenKey(root, path, registry.QUERY_VALUE|registry.WOW64_64KEY)
	if err != nil {
		return
	}
	defer func() { _ = key.Close() }() // it was only read
	names, err := key.ReadValueNames(-1)
	if err != nil {
		return
	}
	slices.Sort(names)
	for _, name := range names {
		if text, _, err := key.GetStringValue(name); err == nil && text != "" && name != "" {
			each(name, text)
		}
	}
}
