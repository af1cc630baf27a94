package places

import (
	"os"
	"runtime"
	"slices"
	"strings"
	"unicode"
)

// Misnamed says, in a clause, why this system cannot have a path that was given, or would take it for another one; empty where
// nothing is wrong with its name. It looks at nothing.
func Misnamed(path string) string {
	switch {
	case strings.IndexFunc(path, unicode.IsControl) >= 0:
		return "it has a control character"
	case runtime.GOOS == "windows":
		return misnamedOnWindows(path)
	}
	return ""
}

// Unreplaced says, in a clause, that a path begins with what a shell would have replaced, as none does within --dir=~/x or in a
// file; empty for any other, and where there is something of that name.
func Unreplaced(path string) string {
	signs := "~$"
	if runtime.GOOS == "windows" {
		signs += "%"
	}
	if path == "" || !strings.Contains(signs, path[:1]) {
		return ""
	}
	if _, err := os.Lstat(path); err == nil {
		return ""
	}
	return "it begins with " + path[:1] + ", which no shell has replaced; write the whole path"
}

// misnamedOnWindows goes by what Windows documents of names ("Naming Files, Paths, and Namespaces").
func misnamedOnWindows(path string) string {
	path = strings.ReplaceAll(path, "/", `\`)
	switch {
	case strings.HasPrefix(path, `\\?\`), strings.HasPrefix(path, `\\.\`), strings.HasPrefix(path, `\??\`):
		return `it names a device; write it without ` + path[:4]
	case strings.HasPrefix(path, `\\`):
		return "it is on another machine: give a folder of this one"
	}
	if drive, rest, found := strings.Cut(path, ":"); found && len(drive) == 1 && isLetter(drive[0]) {
		if !strings.HasPrefix(rest, `\`) {
			return "it depends on where drive " + drive + ": is at the moment; write " + drive + `:\` + rest
		}
		path = rest
	}
	for part := range strings.SplitSeq(path, `\`) {
		if why := misnamedPart(part); why != "" {
			return why
		}
	}
	return ""
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func misnamedPart(part string) string {
	if part == "." || part == ".." || part == "" {
		return ""
	}
	if i := strings.IndexAny(part, `<>:"|?*`); i >= 0 {
		return "a name has " + part[i:i+1] + ", which Windows does not take"
	}
	if strings.TrimRight(part, ". ") != part {
		return "a name ends with a dot or a blank, which Windows leaves out"
	}
	return namesDevice(part)
}

// Device says, in a clause, that a path of Windows is a device and no file; empty for a file, on other systems, and for NUL, which
// is empty at once.
func Device(path string) string {
	if runtime.GOOS != "windows" {
		return ""
	}
	return deviceOfWindows(path)
}

func deviceOfWindows(path string) string {
	path = strings.ReplaceAll(path, "/", `\`)
	part := path[strings.LastIndexAny(path, `\:`)+1:]
	if strings.EqualFold(part, "NUL") {
		return ""
	}
	return namesDevice(part)
}

func namesDevice(part string) string {
	stem, _, _ := strings.Cut(part, ".")
	stem = strings.ToUpper(strings.TrimRight(stem, " "))
	if slices.Contains([]string{"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"}, stem) || isPort(stem) {
		return part + " is the name of a device"
	}
	return ""
}

// isPort tells whether a name is one of COM0 to COM9 and LPT0 to LPT9, or of those with a raised digit, which are the same.
func isPort(stem string) bool {
	number, found := strings.CutPrefix(stem, "COM")
	if !found {
		number, found = strings.CutPrefix(stem, "LPT")
	}
	return found && slices.Contains(strings.Split("0123456789¹²³", ""), number)
}
