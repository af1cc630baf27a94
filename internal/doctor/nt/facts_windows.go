package nt

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
)

// System looks at Windows itself: its version, and long paths.
func System() []Fact {
	version := windows.RtlGetVersion()
	return []Fact{judge(int(version.MajorVersion), int(version.BuildNumber), runtime.GOARCH), longPaths()}
}

// longPaths warns where paths end at 260 characters, which the folders of jobs reach.
func longPaths() Fact {
	const key = `SYSTEM\CurrentControlSet\Control\FileSystem`
	if on, _ := number(key, "LongPathsEnabled"); on == 1 {
		return Fact{OK, "LongPathsEnabled", "paths may be longer than 260 characters", ""}
	}
	return Fact{
		Warning, "LongPathsEnabled", "paths of jobs end at 260 characters, which checkouts with deep folders reach",
		`reg add HKLM\` + key + ` /v LongPathsEnabled /t REG_DWORD /d 1 /f`,
	}
}

func number(key, name string) (uint64, error) {
	opened, err := registry.OpenKey(registry.LOCAL_MACHINE, key, registry.QUERY_VALUE)
	if err != nil {
		return 0, err
	}
	defer opened.Close() //nolint:errcheck // it was read from
	value, _, err := opened.GetIntegerValue(name)
	return value, err
}

// Programs are about what steps of jobs are run by, where a service finds it: in the Path of the host.
func Programs() []Fact {
	var all []Fact
	if path := onPath("pwsh.exe", "powershell.exe"); path != "" {
		all = append(all, Fact{OK, path, "it runs steps that name no shell", ""})
	} else {
		all = append(all, Fact{Warning, "PowerShell", "it is not on the Path of this host, and runs steps that name no shell", ""})
	}
	bash := onPath("bash.exe")
	programFiles, err := windows.KnownFolderPath(windows.FOLDERID_ProgramFiles, 0)
	if err != nil {
		programFiles = `C:\Program Files`
	}
	beside := filepath.Join(programFiles, `Git\bin`)
	_, there := os.Stat(filepath.Join(beside, "bash.exe"))
	switch system, err := windows.GetSystemDirectory(); {
	case bash != "" && (err != nil || !strings.EqualFold(filepath.Dir(bash), system)):
		return append(all, Fact{OK, bash, "it runs steps with shell: bash", ""})
	case there == nil:
		return append(all, Fact{Warning, beside, "steps with shell: bash do not find it: add this folder to the Path of this host", ""})
	case bash != "":
		const found = "steps with shell: bash find WSL's, and need Git for Windows, its folder bin on the Path"
		return append(all, Fact{Warning, bash, found, gitFix})
	}
	return append(all, Fact{Warning, "bash", "steps with shell: bash need Git for Windows, its folder bin on the Path", gitFix})
}

const gitFix = "winget install --id Git.Git --exact --scope machine"

// onPath is where a service finds the first of these programs that is there; empty if it finds none.
func onPath(names ...string) string {
	for _, name := range names {
		for _, dir := range filepath.SplitList(account.SearchPath()) {
			path := filepath.Join(dir, name)
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
				return path
			}
		}
	}
	return ""
}

// Proxy is the proxy that Windows has for other programs: of Internet Options, or of "netsh winhttp". A password in it is left out.
func Proxy() string {
	const settings = `Software\Microsoft\Windows\CurrentVersion\Internet Settings`
	if key, err := registry.OpenKey(registry.CURRENT_USER, settings, registry.QUERY_VALUE); err == nil {
		defer key.Close() //nolint:errcheck // it was read from
		on, _, err := key.GetIntegerValue("ProxyEnable")
		if server, _, noServer := key.GetStringValue("ProxyServer"); err == nil && on == 1 && noServer == nil && server != "" {
			return withoutCredentials(server)
		}
	}
	key, err := registry.OpenKey(registry.LOCAL_MACHINE, settings+`\Connections`, registry.QUERY_VALUE)
	if err != nil {
		return ""
	}
	defer key.Close() //nolint:errcheck // it was read from
	value, _, err := key.GetBinaryValue("WinHttpSettings")
	if err != nil {
		return ""
	}
	return withoutCredentials(winHTTPProxy(value))
}
