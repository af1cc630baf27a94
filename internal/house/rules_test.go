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

// arrow is a package of ours and what it may import of ours, its tests included.
// sharedModules may be imported by several packages, each with the reason.
func sharedModules() map[string]string {
	return map[string]string{
		"golang.org/x/sys": "system calls are used where the platform differs, in files built for one platform each",
	}
}

// What tests have, and the program has not.
const (
	simulator = "internal/githubtest"
	mounttest = "internal/mounttest"
)

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

func simulatorOutside(t *tree) []string {
	var findings []string
	for _, f := range t.files {
		if f.test || within(f.dir, simulator, mounttest, "internal/demo", "test") {
			continue
		}
		f.imports(func(importPath string, pos token.Pos) {
			if dir, ours := t.ours(importPath); ours && within(dir, simulator, mounttest) {
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

// systemdsHome finds its programs in strings: comments may name what people know.
func systemdsHome(t *tree) []string {
	const home = "internal/svc"
	pattern := regexp.MustCompile(`\b(?:systemctl|journalctl)\b`)
	var findings []string
	for _, f := range t.files {
		if f.test || !within(f.dir, "cmd", "internal") || within(f.dir, home, simulator, "internal/demo") {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING && pattern.MatchString(literal.Value) {
				findings = append(findings, t.at(literal.Pos(), "only %s may name a program of systemd", home))
			}
			return true
		})
	}
	return findings
}

// oneRemover finds calls of what walks a tree by its own rules: RemoveAll of package os and of its Root.
func oneRemover(t *tree) []string {
	var findings []string
	for _, f := range t.files {
		if f.test || !within(f.dir, "cmd", "internal") || within(f.dir, simulator, "internal/demo") {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			if selected, ok := n.(*ast.SelectorExpr); ok && selected.Sel.Name == "RemoveAll" {
				findings = append(findings, t.at(selected.Pos(), "trees are removed by internal/removal alone"))
			}
			return true
		})
	}
	return findings
}

func list(set map[string]bool) string {
	return strings.Join(slices.Sorted(maps.Keys(set)), " and ")
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

func plainWords(t *tree) []string {
	return t.search(regexp.MustCompile(`(?i)\b(?:ane`+`w|whoe`+`ver)\b`), "say again or a new one, and name who is meant")
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
