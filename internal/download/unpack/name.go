package unpack

import (
	"fmt"
	"path"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

const (
	maxName  = 4096 // bytes of a path, as in Linux
	maxPart  = 255  // bytes of a part of it, as in every file system
	maxDepth = 100  // each is held open while something in it is made
)

// clean turns an entry's name into a path below the tree, or "." for the tree
// itself. What it returns has no "..", no "." among its parts, and slashes only.
func (n Names) clean(name string) (string, error) {
	refuse := func(why string) (string, error) {
		return "", fmt.Errorf("%w: the name of entry %.300q %s", ErrArchive, name, why)
	}
	switch {
	case name == "":
		return refuse("is empty")
	case len(name) > maxName:
		return refuse("is too long")
	case path.IsAbs(name):
		return refuse("is absolute")
	case strings.ContainsAny(name, "\\\x00"):
		return refuse("has a character that no name may have")
	case n != Unix && !utf8.ValidString(name):
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
		case n == Windows && reserved(part):
			return refuse("is one that Windows reserves")
		}
		if depth++; depth > maxDepth {
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

// key is the same for all names that a file system takes for one.
func (n Names) key(clean string) string {
	if n == Unix {
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
	for _, r := range part {
		if r < ' ' || strings.ContainsRune(`<>:"|?*\/`, r) {
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

// staysInside tells whether a link called name that points to target can only
// lead to a place inside the tree. A ".." after a name is refused, as that name
// may be a link itself and the text then tells nothing about the place.
func (n Names) staysInside(name, target string) bool {
	if target == "" || len(target) > maxName || path.IsAbs(target) || strings.ContainsAny(target, "\\\x00") {
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
		case n == Windows && reserved(part):
			return false
		}
		named = true
	}
	return filepath.IsLocal(filepath.FromSlash(path.Join(path.Dir(name), target)))
}
