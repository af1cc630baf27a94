package house

import (
	"fmt"
	"go/ast"
	"go/token"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

// arrows says which packages of ours each package may import. A package that
// is not listed may not exist: where it stands is decided here first.
func arrows() map[string][]string {
	below := []string{
		"internal/download", "internal/register", "internal/supervise", "internal/svc",
		"internal/instance", "internal/account", "internal/github", "internal/transport",
		"internal/process", "internal/metadata", "internal/workspace", "internal/health", "internal/doctor", "internal/image",
		"internal/control", "internal/atomicfile", "internal/retry",
	}
	all := append([]string{"internal/bootstrap"}, below...)
	return map[string][]string{
		".":                            {},
		"cmd/runner-bootstrap":         all,
		"internal/bootstrap":           below,
		"internal/download":            {"internal/atomicfile", "internal/download/transfer", "internal/download/tree", "internal/github", "internal/transport"},
		"internal/download/transfer":   {"internal/transport"}, // its tests, for the rules of redirects
		"internal/download/tree":       {"internal/inflate"},
		"internal/inflate":             {},
		"internal/register":            {"internal/account", "internal/github"},
		"internal/supervise":           {"internal/register", "internal/account", "internal/process", "internal/github"},
		"internal/github":              {"internal/transport"},
		"internal/doctor":              {"internal/account", "internal/download", "internal/github", "internal/instance", "internal/svc", "internal/transport"}, // the last one for its tests
		"internal/svc":                 {"internal/atomicfile"},
		"internal/process":             {},
		"internal/metadata":            {},
		"internal/workspace":           {},
		"internal/image":               {},
		"internal/health":              {"internal/atomicfile", "internal/retry", "internal/transport"},
		"internal/atomicfile":          {},
		"internal/retry":               {},
		"internal/instance":            {"internal/atomicfile"},
		"internal/control":             {"internal/instance"},
		"internal/account":             {},
		"internal/transport":           {"internal/retry"},
		"internal/demo":                {"internal/githubtest", "internal/download"}, // the latter names the platform
		"internal/githubtest":          {},
		"internal/githubtest/contract": {},
		"internal/githubtest/listener": {},
		"test/e2e":                     append([]string{"test/e2e/machine"}, all...),
		"test/e2e/machine":             {},
		"test/bench":                   {"internal/download", "internal/download/tree"},
		"test/doctor":                  {"internal/download"},
		"test/life":                    {"internal/download", "internal/instance"},
		"test/herd":                    {"internal/bootstrap", "internal/download", "internal/github", "internal/instance", "internal/transport"},
		"test/infrastructure":          {},
		"test/installer":               {},
		"test/packages":                {"test/e2e/machine", "internal/download", "internal/instance"},
	}
}

// sharedModules may be imported by several packages, each with the reason.
func sharedModules() map[string]string {
	return map[string]string{
		"golang.org/x/sys": "system calls are used where the platform differs, in files built for one platform each",
	}
}

// processOwners may read the environment, write to the terminal and exit.
func processOwners() map[string]string {
	return map[string]string{
		"cmd/runner-bootstrap": "it is the program",
		"internal/demo":        "it is a program of its own, started by hand",
		"internal/githubtest":  "the simulated runner is a program that is told things through its environment and answers by exit code",
		"test":                 "tests read CI's switches",
	}
}

const simulator = "internal/githubtest"

func packageComments(t *tree) []string {
	type key struct{ dir, name string }
	documented, all := map[key][]*file{}, map[key][]*file{}
	hasCode := map[string]bool{}
	for _, f := range t.files {
		hasCode[f.dir] = hasCode[f.dir] || !f.test
	}
	for _, f := range t.files {
		if f.test && hasCode[f.dir] {
			continue // tests speak for themselves where there is code to document
		}
		k := key{f.dir, f.syntax.Name.Name}
		all[k] = append(all[k], f)
		if f.syntax.Doc != nil {
			documented[k] = append(documented[k], f)
		}
	}
	var findings []string
	for k, files := range all {
		docs := documented[k]
		switch {
		case len(docs) == 0:
			findings = append(findings, fmt.Sprintf("%s: package %s has no package comment", files[0].path, k.name))
		case len(docs) > 1:
			findings = append(findings, fmt.Sprintf("%s: package %s has a second package comment in %s", docs[0].path, k.name, docs[1].path))
		case k.name != "main" && !strings.HasPrefix(docs[0].syntax.Doc.Text(), "Package "+k.name+" "):
			findings = append(findings, fmt.Sprintf("%s: the package comment does not begin with \"Package %s \"", docs[0].path, k.name))
		}
	}
	slices.Sort(findings)
	return findings
}

func plainNames(t *tree) []string {
	packages := []string{"util", "utils", "common", "helper", "helpers", "shared", "base", "types", "errors", "misc", "manager"}
	types := []string{"util", "utils", "common", "helper", "helpers", "manager"}
	var findings []string
	seen := map[string]bool{}
	for _, f := range t.files {
		name := strings.TrimSuffix(f.syntax.Name.Name, "_test")
		for _, candidate := range []string{name, path.Base(f.dir)} {
			if slices.Contains(packages, candidate) && !seen[f.dir] {
				seen[f.dir] = true
				findings = append(findings, fmt.Sprintf("%s: a package may not be named %q", f.path, candidate))
			}
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok && slices.Contains(types, strings.ToLower(spec.Name.Name)) {
				findings = append(findings, t.at(spec.Pos(), "a type may not be named %q", spec.Name.Name))
			}
			return true
		})
	}
	return findings
}

func importArrows(t *tree) []string {
	allowed := arrows()
	var findings []string
	unlisted := map[string]bool{}
	for _, f := range t.files {
		targets, listed := allowed[f.dir]
		if !listed {
			if !unlisted[f.dir] {
				unlisted[f.dir] = true
				findings = append(findings, fmt.Sprintf("%s: package %s has no row in arrows(): decide what it may import", f.path, f.dir))
			}
			continue
		}
		f.imports(func(importPath string, pos token.Pos) {
			dir, ours := t.ours(importPath)
			switch {
			case !ours, dir == f.dir, slices.Contains(targets, dir):
			case within(dir, simulator):
				// simulatorOutside decides
			default:
				findings = append(findings, t.at(pos, "%s may not import %s", f.dir, dir))
			}
		})
	}
	return findings
}

func simulatorOutside(t *tree) []string {
	var findings []string
	for _, f := range t.files {
		if f.test || within(f.dir, simulator, "internal/demo", "test") {
			continue
		}
		f.imports(func(importPath string, pos token.Pos) {
			if dir, ours := t.ours(importPath); ours && within(dir, simulator) {
				findings = append(findings, t.at(pos, "%s may import %s in tests only", f.dir, dir))
			}
		})
	}
	return findings
}

func oneHome(t *tree) []string {
	homes, testHomes := map[string]map[string]bool{}, map[string]map[string]bool{}
	note := func(into map[string]map[string]bool, module, dir string) {
		if into[module] == nil {
			into[module] = map[string]bool{}
		}
		into[module][dir] = true
	}
	var findings []string
	for _, f := range t.files {
		f.imports(func(importPath string, pos token.Pos) {
			first, _, _ := strings.Cut(importPath, "/")
			if _, ours := t.ours(importPath); ours || !strings.Contains(first, ".") {
				return
			}
			module, ok := t.moduleOf(importPath)
			switch {
			case !ok:
				findings = append(findings, t.at(pos, "go.mod requires no module for %q", importPath))
			case sharedModules()[module] != "":
			case f.test:
				note(testHomes, module, f.dir)
			default:
				note(homes, module, f.dir)
			}
		})
	}
	for _, module := range slices.Sorted(maps.Keys(homes)) {
		if len(homes[module]) > 1 {
			findings = append(findings, fmt.Sprintf("%s is imported by %s", module, list(homes[module])))
		}
	}
	for _, module := range slices.Sorted(maps.Keys(testHomes)) {
		// The package that hides a module may test itself with it.
		maps.DeleteFunc(testHomes[module], func(dir string, _ bool) bool { return homes[module][dir] })
		if len(testHomes[module]) > 1 {
			findings = append(findings, fmt.Sprintf("%s is imported by tests of %s", module, list(testHomes[module])))
		}
	}
	return findings
}

func list(set map[string]bool) string {
	return strings.Join(slices.Sorted(maps.Keys(set)), " and ")
}

const (
	maxFunctionLines = 60
	maxFileLines     = 400
	maxMethods       = 5
)

func functionLength(t *tree) []string {
	var findings []string
	for _, f := range t.code() {
		for _, decl := range f.syntax.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || fn.Body == nil {
				continue
			}
			lines := t.fset.Position(fn.End()).Line - t.fset.Position(fn.Pos()).Line - 1
			if lines > maxFunctionLines {
				findings = append(findings, t.at(fn.Pos(), "%s has %d lines, over %d", fn.Name.Name, lines, maxFunctionLines))
			}
		}
	}
	return findings
}

func fileLength(t *tree) []string {
	var findings []string
	for _, f := range t.code() {
		if f.lines > maxFileLines {
			findings = append(findings, fmt.Sprintf("%s: %d lines, over %d", f.path, f.lines, maxFileLines))
		}
	}
	return findings
}

func noInit(t *tree) []string {
	var findings []string
	for _, f := range t.files {
		for _, decl := range f.syntax.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				findings = append(findings, t.at(fn.Pos(), "init runs unasked: call it from main"))
			}
		}
	}
	return findings
}

func noPackageVariables(t *tree) []string {
	var findings []string
	for _, f := range t.code() {
		for _, decl := range f.syntax.Decls {
			group, ok := decl.(*ast.GenDecl)
			if !ok || group.Tok != token.VAR {
				continue
			}
			for _, spec := range group.Specs {
				value := spec.(*ast.ValueSpec) // the only kind of spec under var
				if !embedded(group, value) && !fixed(f, value) {
					findings = append(findings, t.at(value.Pos(), "package variable %s can be changed: make it a constant, a function or a field", value.Names[0].Name))
				}
			}
		}
	}
	return findings
}

// embedded reports whether the compiler fills a variable from a file.
func embedded(group *ast.GenDecl, value *ast.ValueSpec) bool {
	for _, doc := range []*ast.CommentGroup{group.Doc, value.Doc} {
		if doc != nil && slices.ContainsFunc(doc.List, func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "//go:embed ") }) {
			return true
		}
	}
	return false
}

// fixed reports whether a package variable is of a kind that nobody assigns to:
// an assertion about types, an error to compare with (made here, or that of a
// room below under its own name), a compiled expression, or a string of the
// command that the linker sets.
func fixed(f *file, value *ast.ValueSpec) bool {
	if len(value.Values) == 0 {
		return linkTime(f, value)
	}
	for i, expression := range value.Values {
		name := value.Names[min(i, len(value.Names)-1)].Name
		if name == "_" || linkTime(f, value) {
			continue
		}
		if passedOn(name, expression) {
			continue
		}
		call, ok := expression.(*ast.CallExpr)
		if !ok {
			return false
		}
		selector, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return false
		}
		pkg, ok := selector.X.(*ast.Ident)
		if !ok {
			return false
		}
		switch {
		case pkg.Name == f.localName("errors") && selector.Sel.Name == "New":
		case pkg.Name == f.localName("fmt") && selector.Sel.Name == "Errorf":
		case pkg.Name == f.localName("regexp") && selector.Sel.Name == "MustCompile":
		default:
			return false
		}
	}
	return true
}

// passedOn reports whether name is another package's error of the same name.
func passedOn(name string, expression ast.Expr) bool {
	selector, ok := expression.(*ast.SelectorExpr)
	return ok && strings.HasPrefix(name, "Err") && selector.Sel.Name == name
}

func linkTime(f *file, value *ast.ValueSpec) bool {
	kind, named := value.Type.(*ast.Ident)
	switch {
	case !within(f.dir, "cmd"):
		return false
	case named:
		if kind.Name != "string" {
			return false
		}
	case value.Type != nil:
		return false
	default:
		for _, expression := range value.Values {
			if literal, ok := expression.(*ast.BasicLit); !ok || literal.Kind != token.STRING {
				return false
			}
		}
	}
	return !slices.ContainsFunc(value.Names, func(name *ast.Ident) bool {
		return !slices.Contains([]string{"version", "commit", "date"}, name.Name)
	})
}

func cmdOwnsProcess(t *tree) []string {
	owned := map[string][]string{
		"os": {
			"Getenv", "LookupEnv", "Environ", "ExpandEnv", "Setenv", "Unsetenv", "Clearenv",
			"Exit", "Stdin", "Stdout", "Stderr", "Args",
		},
		"fmt":     {"Print", "Printf", "Println", "Scan", "Scanf", "Scanln"},
		"syscall": {"Getenv", "Environ", "Setenv", "Unsetenv", "Clearenv", "Exit"},
		"log":     {"Fatal", "Fatalf", "Fatalln", "Print", "Printf", "Println", "Panic", "Panicf", "Panicln", "Default"},
	}
	owners := slices.Collect(maps.Keys(processOwners()))
	var findings []string
	for _, f := range t.code() {
		if within(f.dir, owners...) {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			selector, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, ok := selector.X.(*ast.Ident)
			if !ok {
				return true
			}
			for importPath, names := range owned {
				if pkg.Name == f.localName(importPath) && slices.Contains(names, selector.Sel.Name) {
					findings = append(findings, t.at(selector.Pos(), "%s.%s belongs to cmd: take it as an argument, or return", importPath, selector.Sel.Name))
				}
			}
			return true
		})
	}
	return findings
}

func smallInterfaces(t *tree) []string {
	type key struct{ dir, name string }
	local := map[key]*ast.InterfaceType{}
	each := func(visit func(f *file, spec *ast.TypeSpec, i *ast.InterfaceType)) {
		for _, f := range t.code() {
			ast.Inspect(f.syntax, func(n ast.Node) bool {
				if spec, ok := n.(*ast.TypeSpec); ok {
					if i, ok := spec.Type.(*ast.InterfaceType); ok {
						visit(f, spec, i)
					}
				}
				return true
			})
		}
	}
	each(func(f *file, spec *ast.TypeSpec, i *ast.InterfaceType) { local[key{f.dir, spec.Name.Name}] = i })
	var count func(dir string, i *ast.InterfaceType, depth int) int
	count = func(dir string, i *ast.InterfaceType, depth int) (methods int) {
		for _, field := range i.Methods.List {
			name, isName := field.Type.(*ast.Ident)
			switch embedded := local[key{dir, identName(name, isName)}]; {
			case len(field.Names) > 0:
				methods += len(field.Names)
			case embedded != nil && depth < maxMethods:
				methods += count(dir, embedded, depth+1)
			case isName || isSelector(field.Type):
				methods++ // from elsewhere: it has one method at least
			}
		}
		return methods
	}
	var findings []string
	each(func(f *file, spec *ast.TypeSpec, i *ast.InterfaceType) {
		if methods := count(f.dir, i, 0); methods > maxMethods {
			findings = append(findings, t.at(spec.Pos(), "interface %s has %d methods, over %d", spec.Name.Name, methods, maxMethods))
		}
	})
	return findings
}

func identName(name *ast.Ident, ok bool) string {
	if !ok {
		return ""
	}
	return name.Name
}

func isSelector(e ast.Expr) bool {
	_, ok := e.(*ast.SelectorExpr)
	return ok
}

// search reports every place in every text that a pattern matches. The match
// itself is not shown, as it may be a secret.
func (t *tree) search(pattern *regexp.Regexp, what string) []string {
	var findings []string
	for _, name := range slices.Sorted(maps.Keys(t.texts)) {
		for _, at := range pattern.FindAllIndex(t.texts[name], -1) {
			line := 1 + strings.Count(string(t.texts[name][:at[0]]), "\n")
			findings = append(findings, fmt.Sprintf("%s:%d: %s", name, line, what))
		}
	}
	return findings
}

func noMachinePaths(t *tree) []string {
	// A folder called root inside another path (packaging/linux/root/...) is no
	// path of a machine, so what stands before the first slash matters. A home
	// as such is not either: every host has root's. What people build in is.
	pattern := regexp.MustCompile(`(?m)(?:^|[^\w.$%)}*~-])/(?:work|(?:root|home/[\w.-]+)/(?:go|src|build|\.cache))/`)
	return t.search(pattern, "a path of the machine it was written on")
}

func noTokens(t *tree) []string {
	pattern := regexp.MustCompile(`gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60}`)
	return t.search(pattern, "a GitHub token")
}

func nothingUnfinished(t *tree) []string {
	return t.search(regexp.MustCompile(`\b(?:TO`+`DO|FIX`+`ME)\b`), "something left for later")
}

func scriptNames(t *tree) []string {
	const command, scripts = "cmd/runner-bootstrap", "cmd/runner-bootstrap/testdata/script"
	names := []string{"completion", "help"} // cobra's own
	for _, f := range t.code() {
		if f.dir == command {
			names = append(names, commandNames(f)...)
		}
	}
	var findings []string
	for _, name := range slices.Sorted(maps.Keys(t.texts)) {
		if !within(path.Dir(name), scripts) {
			continue
		}
		// A command's own name may have a hyphen.
		whole, _, _ := strings.Cut(strings.TrimSuffix(path.Base(name), path.Ext(name)), "_")
		first, _, _ := strings.Cut(whole, "-")
		if !slices.Contains(names, first) && !slices.Contains(names, whole) && !strings.HasPrefix(path.Base(name), path.Base(command)) {
			findings = append(findings, fmt.Sprintf("%s: there is no command %q (commands are read from Use fields and calls of \"command\" and \"family\" in %s)", name, first, command))
		}
	}
	return findings
}

// commandNames returns the first word of every literal that names a command: a
// Use field, or the first argument of the functions "command" and "family" that fill one.
func commandNames(f *file) []string {
	var names []string
	note := func(e ast.Expr) {
		if literal, ok := e.(*ast.BasicLit); ok && literal.Kind == token.STRING {
			if words := strings.Fields(strings.Trim(literal.Value, "`\"")); len(words) > 0 {
				names = append(names, words[0])
			}
		}
	}
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.KeyValueExpr:
			if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Use" {
				note(n.Value)
			}
		case *ast.CallExpr:
			if name := calledName(n); (name == "command" || name == "family") && len(n.Args) > 0 {
				note(n.Args[0])
			}
		}
		return true
	})
	return names
}

// calledName returns the name of a called function or method, without what is before it.
func calledName(call *ast.CallExpr) string {
	switch fn := call.Fun.(type) {
	case *ast.Ident:
		return fn.Name
	case *ast.SelectorExpr:
		return fn.Sel.Name
	}
	return ""
}
