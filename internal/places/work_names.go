package places

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// maxPart is the longest name of a file, in bytes, that the usual file systems take.
const maxPart = 255

// checkMeant refuses names, wherever they are, that nobody has meant or no file system takes.
func (w Work) checkMeant() error {
	placeholder := regexp.MustCompile(`\{[a-z_]+\}`).FindString(w.Folder)
	names := strings.FieldsFunc(filepath.ToSlash(w.Folder), func(r rune) bool { return r == '/' })
	misnamed := Misnamed(w.Folder)
	switch {
	case strings.TrimSpace(w.Folder) == "":
		return w.refuse("its name is empty")
	case misnamed != "":
		return w.refuse(misnamed)
	case strings.HasPrefix(w.Folder, "~"):
		return w.refuse("it begins with ~, which no shell has replaced")
	case strings.Contains(w.Folder, "$"):
		return w.refuse("it has a $, which no shell has replaced")
	case placeholder != "":
		return w.refuse("it has " + placeholder + ", which is replaced in names and labels alone")
	case slices.ContainsFunc(names, func(name string) bool { return len(name) > maxPart }):
		return w.refuse(fmt.Sprintf("a name in it is longer than %d bytes", maxPart))
	}
	return nil
}

func (w Work) refuse(detail string) error {
	return &WorkError{Folder: w.Folder, Reason: ErrWorkName, Detail: detail, Instead: Inside}
}

// checkName refuses names in the runner's directory that are not for jobs.
func (w Work) checkName() error {
	refuse := w.refuse
	names := strings.FieldsFunc(filepath.ToSlash(w.Folder), func(r rune) bool { return r == '/' })
	switch {
	case slices.Contains(names, ".."):
		return refuse("it leads out of the runner's directory")
	case !filepath.IsLocal(w.Folder) || filepath.Clean(w.Folder) == ".":
		return refuse("it is the runner's directory itself")
	}
	first, _, _ := strings.Cut(filepath.ToSlash(filepath.Clean(w.Folder)), "/")
	first = strings.ToLower(first) // some file systems do not tell
	stem, _, _ := strings.Cut(first, ".")
	switch {
	case slices.Contains([]string{"bin", "externals", "_diag"}, stem), strings.HasPrefix(first, "."),
		slices.Contains([]string{".sh", ".cmd", ".template"}, filepath.Ext(first)):
		return refuse("the runner has files of that name")
	}
	return nil
}

// resolve returns the path without links. A link in the place of the folder itself is refused: it may lead elsewhere later.
func (w Work) resolve(path string) (string, error) {
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		target, err := filepath.EvalSymlinks(path)
		if err != nil || w.checkSystem(target) != nil {
			target = Inside
		}
		return "", &WorkError{Folder: w.Folder, Reason: ErrWorkKind, Detail: "it is a link", Instead: target}
	}
	rest := ""
	for at := path; ; at = filepath.Dir(at) {
		found, err := filepath.EvalSymlinks(at)
		switch {
		case err == nil:
			return filepath.Join(found, rest), nil
		case at == filepath.Dir(at), !absent(err):
			return path, nil //nolint:nilerr // the look at it tells why
		}
		if _, err := os.Lstat(at); err == nil {
			detail := fmt.Sprintf("%q is a link to nowhere", at)
			return "", &WorkError{Folder: w.Folder, Reason: ErrWorkParent, Detail: detail, Instead: Inside}
		}
		rest = filepath.Join(filepath.Base(at), rest)
	}
}

// checkSystem refuses what is the system's or ours.
func (w Work) checkSystem(path string) error {
	refuse := w.refuse
	for _, tree := range systemTrees() {
		if within(path, tree) {
			return refuse("the system is in " + tree)
		}
	}
	if slices.Contains(systemFolders(), path) || path == filepath.Dir(path) {
		return refuse("it is a folder of the system")
	}
	if w.User.Home != "" && within(filepath.Clean(w.User.Home), path) {
		return refuse(fmt.Sprintf("the account's home %q is in it", w.User.Home))
	}
	for _, ours := range []string{w.Paths.Runners, w.Paths.State, w.Paths.Cache} {
		if found, err := filepath.EvalSymlinks(ours); err == nil {
			ours = found
		}
		if within(ours, path) || within(path, ours) {
			return refuse(fmt.Sprintf("runner-bootstrap keeps its own files in %q", ours))
		}
	}
	return nil
}

// CheckSystemFolder refuses, by a [*WorkError], an absolute name that no host has a folder for jobs of. It looks at nothing.
func CheckSystemFolder(folder string) error {
	w := Work{Folder: folder}
	if err := w.checkMeant(); err != nil {
		return err
	}
	return w.checkSystem(filepath.Clean(folder))
}

// systemTrees belong to the system with all that is in them, or do not outlive it.
func systemTrees() []string {
	return []string{
		"/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/nix", "/proc", "/run", "/sbin", "/sys", "/usr",
		"/System", "/Library", "/Applications", `C:\Windows`, `C:\Program Files`,
	}
}

// systemFolders have others' folders in them, and may have a runner's.
func systemFolders() []string {
	return []string{
		"/home", "/media", "/mnt", "/opt", "/root", "/snap", "/srv", "/tmp", "/var", "/var/cache", "/var/lib", "/var/local",
		"/var/log", "/var/mail", "/var/opt", "/var/run", "/var/spool", "/var/tmp", "/Users", "/Volumes", "/private", "/private/tmp",
		"/private/var", `C:\Users`, `C:\ProgramData`,
	}
}

// within tells whether path is folder, or in it.
func within(path, folder string) bool {
	inside, err := filepath.Rel(folder, path)
	return err == nil && (inside == "." || filepath.IsLocal(inside))
}
