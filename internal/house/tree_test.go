package house

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// tree is the repository as the rules see it.
type tree struct {
	module   string            // the module path
	requires []string          // module paths that go.mod requires
	fset     *token.FileSet    // positions of every Go file
	files    []*file           // Go files that the go tool would look at, for any platform
	texts    map[string][]byte // every text file that belongs to the repository, by path
}

// file is one Go file.
type file struct {
	path   string
	dir    string // "." for the root
	test   bool
	lines  int
	syntax *ast.File
}

// load reads a tree. Build constraints are ignored on purpose: a rule holds on
// every platform.
func load(fsys fs.FS) (*tree, error) {
	t := &tree{fset: token.NewFileSet(), texts: map[string][]byte{}}
	ignored, err := readIgnored(fsys)
	if err != nil {
		return nil, err
	}
	err = fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name == ".git" || ignored(name, entry.IsDir()):
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		case !entry.Type().IsRegular():
			return nil
		}
		return t.add(fsys, name)
	})
	if err != nil {
		return nil, fmt.Errorf("reading the tree: %w", err)
	}
	return t, t.readModule()
}

func (t *tree) add(fsys fs.FS, name string) error {
	content, err := fs.ReadFile(fsys, name)
	if err != nil {
		return err
	}
	if bytes.IndexByte(content[:min(len(content), 8000)], 0) >= 0 {
		return nil // not text
	}
	t.texts[name] = content
	if !strings.HasSuffix(name, ".go") || hiddenFromGo(name) {
		return nil
	}
	syntax, err := parser.ParseFile(t.fset, name, content, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	t.files = append(t.files, &file{
		path:   name,
		dir:    path.Dir(name),
		test:   strings.HasSuffix(name, "_test.go"),
		lines:  bytes.Count(content, []byte("\n")),
		syntax: syntax,
	})
	return nil
}

// hiddenFromGo reports whether the go tool passes a file over for a folder it is in.
func hiddenFromGo(name string) bool {
	return slices.ContainsFunc(strings.Split(path.Dir(name), "/"), func(folder string) bool {
		return folder == "testdata" || folder == "vendor" || len(folder) > 1 && strings.ContainsAny(folder[:1], "._")
	})
}

// readIgnored reads .gitignore as far as ours goes: one pattern per line,
// anchored when it holds a slash, for folders only when it ends with one.
func readIgnored(fsys fs.FS) (func(name string, folder bool) bool, error) {
	content, err := fs.ReadFile(fsys, ".gitignore")
	if err != nil {
		return nil, err
	}
	var patterns []string
	for line := range strings.Lines(string(content)) {
		pattern := strings.TrimSpace(line)
		if pattern == "" || strings.HasPrefix(pattern, "#") {
			continue
		}
		if _, err := path.Match(pattern, ""); err != nil || strings.HasPrefix(pattern, "!") || strings.Contains(pattern, "**") {
			return nil, fmt.Errorf("reading .gitignore: pattern %q is of a kind the house rules do not read", pattern)
		}
		patterns = append(patterns, pattern)
	}
	return func(name string, folder bool) bool {
		return slices.ContainsFunc(patterns, func(pattern string) bool {
			pattern, onlyFolders := strings.CutSuffix(pattern, "/")
			subject := path.Base(name)
			if strings.Contains(pattern, "/") {
				pattern, subject = strings.TrimPrefix(pattern, "/"), name
			}
			matched, _ := path.Match(pattern, subject) // the pattern was tried above
			return matched && (folder || !onlyFolders)
		})
	}, nil
}

// readModule reads the two things the rules need from go.mod. Its format is
// fixed by the go tool (go mod tidy leaves no diff), so lines are enough.
func (t *tree) readModule() error {
	inRequire := false
	for line := range strings.Lines(string(t.texts["go.mod"])) {
		fields := strings.Fields(line)
		switch {
		case len(fields) >= 2 && fields[0] == "module":
			t.module = fields[1]
		case len(fields) >= 2 && fields[0] == "require" && fields[1] == "(":
			inRequire = true
		case len(fields) >= 3 && fields[0] == "require":
			t.requires = append(t.requires, fields[1])
		case len(fields) >= 1 && fields[0] == ")":
			inRequire = false
		case inRequire && len(fields) >= 2 && !strings.HasPrefix(fields[0], "//"):
			t.requires = append(t.requires, fields[0])
		}
	}
	if t.module == "" {
		return fmt.Errorf("reading go.mod: it names no module")
	}
	return nil
}

// at formats a finding with its place.
func (t *tree) at(pos token.Pos, format string, args ...any) string {
	p := t.fset.Position(pos)
	return fmt.Sprintf("%s:%d: %s", p.Filename, p.Line, fmt.Sprintf(format, args...))
}

// ours returns the folder of a package of this module, by its import path.
func (t *tree) ours(importPath string) (dir string, ok bool) {
	if importPath == t.module {
		return ".", true
	}
	return strings.CutPrefix(importPath, t.module+"/")
}

// moduleOf returns the required module that an import path belongs to.
func (t *tree) moduleOf(importPath string) (module string, ok bool) {
	for _, candidate := range t.requires {
		if (importPath == candidate || strings.HasPrefix(importPath, candidate+"/")) && len(candidate) > len(module) {
			module = candidate
		}
	}
	return module, module != ""
}

// code returns the files that are not tests.
func (t *tree) code() []*file {
	return slices.DeleteFunc(slices.Clone(t.files), func(f *file) bool { return f.test })
}

// imports calls yield for every import of a file.
func (f *file) imports(yield func(importPath string, pos token.Pos)) {
	for _, spec := range f.syntax.Imports {
		yield(strings.Trim(spec.Path.Value, "`\""), spec.Pos())
	}
}

// within reports whether a folder is one of roots or lies below one.
func within(dir string, roots ...string) bool {
	return slices.ContainsFunc(roots, func(root string) bool {
		return dir == root || strings.HasPrefix(dir, root+"/")
	})
}
