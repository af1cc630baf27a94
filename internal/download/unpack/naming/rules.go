// Package naming holds what a name in an archive may be, so that what is unpacked stays where it is to be, and is what the
// archive says on every file system.
package naming

import (
	"fmt"
	"path"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// Rules says which file system names have to be fit for.
type Rules int

const (
	// Unix takes what Linux takes.
	Unix Rules = iota
	// Fold is for macOS: no two names may differ by case alone.
	Fold
	// Windows is Fold without the names and characters that Windows reserves.
	Windows
)

const (
	// MaxName is how many bytes a path may have, as in Linux.
	MaxName = 4096
	// MaxDepth is how many parts a path may have: each is held open while something in it is made.
	MaxDepth = 100

	maxPart = 255 // bytes of a part, as in every file system
)

// Clean turns an entry's name into a path below the tree, or "." for the tree
// itself. What it returns has no "..", no "." among its parts, and slashes only.
func (r Rules) Clean(name string) (string, error) {
	refuse := func(why string) (string, error) {
		return "", fmt.Errorf("the name of entry %.300q %s", name, why)
	}
	switch {
	case name == "":
		return refuse("is empty")
	case len(name) > MaxName:
		return refuse("is too long")
	case path.IsAbs(name):
		return refuse("is absolute")
	case strings.ContainsAny(name, "\\\x00"):
		return refuse("has a character that no name may have")
	case r != Unix && !utf8.ValidString(name):
		return refuse("is not UTF-8")
	}
	depth, tidy := 0, true
	for part := range strings.SplitSeq(name, "/") {
		switch {
		case part == "..":
			return refuse("leads out of the archive")
		case part == "" || part == ".":
			tidy = false
			continue
		case len(part) > maxPart:
			return refuse("has a part that is too long")
		case r == Windows && reserved(part):
			return refuse("is one that Windows reserves")
		}
		if depth++; depth > MaxDepth {
			return refuse("has too many parts")
		}
	}
	result := name
	if !tidy {
		result = path.Clean(name)
	}
	// The host has the last word: what Windows reserves may grow.
	if !filepath.IsLocal(filepath.FromSlash(result)) {
		return refuse("leads out of the archive")
	}
	return result, nil
}

// Key is the same for all names that a file system takes for one.
func (r Rules) Key(clean string) string {
	if r == Unix {
		return clean
	}
	return strings.ToLower(clean)
}

// reserved tells whether Windows would take part of a name for something else
// than a file of just this name.
func reserved(part string) bool {
	if strings.HasSuffix(part, ".") || strings.HasSuffix(part, " ") {
		return true // cut off without a word
	}
	for _, char := range part {
		if char < ' ' || strings.ContainsRune(`<>:"|?*\/`, char) {
			return true
		}
	}
	// A device stays one whatever follows the first dot, or blanks before it.
	stem, _, _ := strings.Cut(part, ".")
	stem = strings.ToUpper(strings.TrimRight(stem, " "))
	switch stem {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return true
	}
	for _, device := range []string{"COM", "LPT"} {
		if number, ok := strings.CutPrefix(stem, device); ok && utf8.RuneCountInString(number) == 1 {
			return strings.Contains("0123456789¹²³", number)
		}
	}
	return false
}

// StaysInside tells whether a link called name that points to target can only
// lead to a place inside the tree. A ".." after a name is refused, as that name
// may be a link itself and the text then tells nothing about the place.
func (r Rules) StaysInside(name, target string) bool {
	if target == "" || len(target) > MaxName || path.IsAbs(target) || strings.ContainsAny(target, "\\\x00") {
		return false
	}
	named := false
	for part := range strings.SplitSeq(target, "/") {
		switch {
		case part == "" || part == ".":
			continue
		case part == "..":
			if named {
				return false
			}
			continue
		case r == Windows && reserved(part):
			return false
		}
		named = true
	}
	return filepath.IsLocal(filepath.FromSlash(path.Join(path.Dir(name), target)))
}
