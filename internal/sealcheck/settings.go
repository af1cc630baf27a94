package sealcheck

import (
	"bytes"
	"path"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/pattern"
)

const (
	namedSetting  = "a setting whose name says that it is a secret"
	namedArgument = "an argument whose name says that it is a secret"
	// maxSettings is how large a file is that a person or a program writes settings into.
	maxSettings = 1 << 20
)

const settingName = `[\w.-]*(?i:password|passwd|passphrase|secret|token|authtok|requirepass|skey|` +
	`(?:api|access|secret|license|auth|registration|encryption|account)[-_]?key)`

var (
	// setting is one of a file of settings, be it a list of names and values, YAML, TOML, JSON or a block in braces.
	setting  = pattern.New(`(?:^|[\s"'{,;<$\[])(` + settingName + `)["']?[ \t]*(?:=>|[:=])[ \t]*["']?([^\s"',;<>]{8,})`)
	argument = pattern.New(`\s--?(?i:token|password|passwd|secret|api-?key|access-?key|auth-?key)[= ]["']?([^\s"']{8,})`)
)

// settings looks at what people and programs have set: below /etc, and in the hidden files of homes. What a program keeps
// elsewhere is known by its place alone.
func (f *file) settings(text []byte) {
	if f.binary || f.size > maxSettings || !settingsPlace(f.name) {
		return
	}
	for n, line := range bytes.Split(text, []byte{'\n'}) {
		if comment(line) {
			continue
		}
		for _, groups := range setting.FindAllSubmatch(line, -1) {
			if chosen(groups[2]) {
				f.tell(Secret, n+1, namedSetting)
				return
			}
		}
	}
}

func comment(line []byte) bool {
	line = bytes.TrimSpace(line)
	return bytes.HasPrefix(line, []byte("#")) || bytes.HasPrefix(line, []byte(";")) || bytes.HasPrefix(line, []byte("//"))
}

// settingsPlace tells whether a file is one of settings: below /etc, or a hidden one of a home and not in a hidden folder of sources.
func settingsPlace(name string) bool {
	parts := strings.Split(name, "/")
	switch parts[0] {
	case "etc":
		return true
	case "root":
		parts = parts[1:]
	case "home":
		parts = parts[min(2, len(parts)):]
	default:
		return false
	}
	const deepest = 4 // .config/PROGRAM/PART/FILE
	if len(parts) == 0 || len(parts) > deepest || !strings.HasPrefix(parts[0], ".") {
		return false
	}
	switch path.Ext(name) {
	case "", ".conf", ".cfg", ".ini", ".toml", ".yaml", ".yml", ".json", ".properties", ".xml", ".rc", ".env", ".credentials":
		return parts[0] != ".cache"
	}
	return strings.Count(name, "/") <= 2 && strings.HasPrefix(path.Base(name), ".")
}

// chosen tells whether a value is one that somebody was given, and neither a word of a language nor the name of where the secret is.
func chosen(value []byte) bool {
	if bytes.ContainsAny(value[:1], "/~$%<{([!*`-|>&@") || bytes.Contains(value, []byte(":/")) || bytes.HasPrefix(value, []byte("ENC[")) {
		return false
	}
	digit, letter := false, false
	for _, c := range value {
		digit = digit || '0' <= c && c <= '9'
		letter = letter || 'a' <= c|0x20 && c|0x20 <= 'z'
	}
	return digit && letter && varied(0)([][]byte{value})
}

// secretArgument tells whether a command has a secret among its arguments, by the name of one.
func secretArgument(command []byte) bool {
	for _, groups := range argument.FindAllSubmatch(command, -1) {
		if chosen(groups[1]) {
			return true
		}
	}
	return false
}
