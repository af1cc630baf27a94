package svc

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxName is how long a name may be: it leaves room for ".service" and for the temporary name within the 255 bytes of a file name
// and of a unit name. GitHub's own services stay within 150.
const MaxName = 200

// validateName accepts the characters that systemd takes in a name without escaping, less "@" and "\", which
// mean something there.
func validateName(name string) error {
	switch {
	case name == "":
		return errors.New("name is empty")
	case len(name) > MaxName:
		return fmt.Errorf("name has %d characters, %d at most", len(name), MaxName)
	case strings.HasPrefix(name, "-") || strings.HasPrefix(name, "."):
		return errors.New("name starts with a dash or a dot")
	case strings.HasSuffix(name, ".service"):
		return errors.New(`name must not carry ".service"`)
	}
	for _, r := range name {
		if !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-", r) {
			return fmt.Errorf("name holds %q; letters, digits and ._:- are possible", r)
		}
	}
	return nil
}

// validateText refuses what no quoting of a unit file can carry, or what the template engine behind Install
// would take for its own.
func validateText(text string) error {
	if !utf8.ValidString(text) {
		return errors.New("not UTF-8")
	}
	if i := strings.IndexFunc(text, unicode.IsControl); i >= 0 {
		return errors.New("holds a line break or another control character")
	}
	if strings.Contains(text, "{{") {
		return errors.New(`holds "{{"`)
	}
	return nil
}

// CheckName tells whether a unit can have that name, without ".service".
func CheckName(name string) error { return validateName(name) }

// CheckText tells whether a unit can have that text in it: it is one line, and whole.
func CheckText(text string) error { return validateText(text) }
