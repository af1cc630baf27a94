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
type arrow struct {
	from string
	to   []string
}

// arrows says which packages of ours each package may import, from the top of the house to its floor. A package that is
// not listed may not exist: where it stands is decided here first. CONTRIBUTING.md shows the same list.
func arrows() []arrow {
	return []arrow{
		{"cmd/runner-bootstrap", []string{
			"internal/volume",
			"internal/pattern",
			"internal/bootstrap", "internal/plan", "internal/doctor", "internal/libraries", "internal/places", "internal/download", "internal/supervise",
			"internal/register", "internal/svc", "internal/svc/systemd", "internal/svc/scm", "internal/logfile", "internal/status", "internal/machine",
			"internal/health", "internal/metadata", "internal/github", "internal/secret", "internal/instance", "internal/account", "internal/transport",
			"internal/inuse", "internal/refusal", "internal/agent", "internal/control", "internal/jail", "internal/shell", "internal/removal", "internal/openfile",
			"internal/config", "internal/retry", "internal/sealcheck", "internal/departure", "internal/acl", "internal/startup", "internal/sudoers",
			"internal/terminal", "internal/userdata", "internal/folders",
		}},
		// Neither this one nor the agent imports the other: they meet in the record.
		{"internal/bootstrap", []string{
			"internal/plan", "internal/libraries", "internal/places", "internal/download", "internal/supervise", "internal/register", "internal/svc",
			"internal/health", "internal/workspace", "internal/sealcheck", "internal/github", "internal/secret", "internal/instance",
			"internal/account", "internal/refusal", "internal/control", "internal/removal", "internal/folders", "internal/machine",
			"internal/startup", "internal/sudoers",
			"internal/jail",        // its tests are the first process of a config.sh
			"internal/svc/systemd", // refuses in its tests what is refused
			"internal/transport",   // the clients that its tests speak to the simulator with
		}},
		{"internal/startup", []string{
			"internal/plan", "internal/supervise", "internal/register", "internal/svc", "internal/secret", "internal/instance", "internal/account",
		}},
		{"internal/status", []string{
			"internal/control", "internal/github", "internal/secret", "internal/instance", "internal/register", "internal/supervise", "internal/svc",
			"internal/machine", "internal/refusal", "internal/volume", "internal/folders",
			"internal/transport", // for the client that its tests ask GitHub with
		}},
		// What a plan needs is read; who carries it out stands above.
		{"internal/plan", []string{
			"internal/pattern",
			"internal/places", "internal/download", "internal/supervise", "internal/register", "internal/svc", "internal/health",
			"internal/metadata", "internal/github", "internal/secret", "internal/instance", "internal/account", "internal/refusal", "internal/machine",
			"internal/openfile", "internal/sudoers",
			"internal/transport",   // as above
			"internal/svc/systemd", // likewise
		}},
		{"internal/agent", []string{
			"internal/runnerdir", "internal/strays",
			"internal/svc/systemd",
			"internal/download", "internal/supervise", "internal/jail", "internal/register", "internal/svc", "internal/health",
			"internal/departure", "internal/writable", "internal/metadata", "internal/reaper", "internal/workspace", "internal/github", "internal/instance", "internal/account",
			"internal/refusal", "internal/control", "internal/removal", "internal/machine", "internal/ahead", "internal/retry", "internal/acl", "internal/shell",
			"internal/folders", "internal/volume",
		}},
		{"internal/strays", []string{"internal/svc/systemd", "internal/reaper", "internal/instance", "internal/account"}},
		{"internal/runnerdir", []string{"internal/acl", "internal/folders", "internal/instance", "internal/inuse", "internal/removal"}},
		{"internal/departure", []string{"internal/metadata", "internal/retry", "internal/supervise"}},
		{"internal/writable", []string{"internal/supervise", "internal/volume"}},
		{"internal/ahead", []string{"internal/download", "internal/removal", "internal/acl", "internal/inuse"}},
		{"internal/doctor/nt", []string{"internal/account"}},
		{"internal/sudoers", []string{"internal/pattern", "internal/account", "internal/atomicfile"}},
		{"internal/libraries", []string{"internal/pattern", "internal/account", "internal/openfile"}},
		{"internal/doctor", []string{
			"internal/doctor/nt", "internal/libraries",
			"internal/machine", "internal/refusal",
			"internal/places", "internal/download", "internal/svc", "internal/svc/systemd", "internal/github", "internal/secret", "internal/instance", "internal/account",
			"internal/transport", "internal/shell", "internal/jail",
		}},
		{"internal/userdata", []string{"internal/pattern", "internal/config", "internal/retry", "internal/shell"}},
		{"internal/places", []string{"internal/acl", "internal/download", "internal/folders", "internal/instance", "internal/account", "internal/shell", "internal/volume"}},
		{"internal/supervise", []string{
			"internal/pattern",
			"internal/register", "internal/instance", "internal/reaper", "internal/jail", "internal/secret", "internal/account", "internal/retry",
			"internal/folders", "internal/removal", // to take away the config.sh of its tests
		}},
		{"internal/jail", []string{
			"internal/reaper", "internal/account", "internal/removal", "internal/svc/systemd/transient", "internal/svc", "internal/jobobject", "internal/lifehost",
		}},
		{"internal/lifehost", []string{"internal/jobobject", "internal/namedpipe", "internal/svc/scm"}},
		{"internal/namedpipe", []string{"internal/acl"}},
		{"internal/jobobject", nil},
		{"internal/register", []string{ // the record says who joins
			"internal/pattern", "internal/inuse",
			"internal/github", "internal/secret", "internal/instance", "internal/account", "internal/jail", "internal/openfile", "internal/refusal", "internal/removal",
			"internal/volume", "internal/acl",
			"internal/transport", // for the client that its tests ask GitHub with
		}},
		{"internal/download", []string{
			"internal/pattern",
			"internal/inuse",
			"internal/download/transfer", "internal/download/unpack", "internal/download/stamp", "internal/folders", "internal/github", "internal/secret", "internal/transport", "internal/atomicfile",
			"internal/refusal", "internal/removal", "internal/openfile", "internal/acl", "internal/volume",
		}},
		{"internal/download/transfer", []string{"internal/pattern", "internal/transport", "internal/retry", "internal/inuse"}}, // the former for the rules of redirects
		{"internal/download/stamp", nil},
		{"internal/download/unpack", []string{"internal/atomicfile", "internal/download/stamp", "internal/download/unpack/ahead", "internal/download/unpack/workers", "internal/inflate", "internal/openat", "internal/removal", "internal/acl", "internal/inuse", "internal/volume"}},
		{"internal/download/unpack/ahead", []string{"internal/inflate"}},
		{"internal/download/unpack/workers", nil},

		{"internal/control", []string{"internal/instance", "internal/namedpipe", "internal/acl"}},
		{"internal/health", []string{"internal/pattern", "internal/instance", "internal/atomicfile", "internal/openfile", "internal/retry", "internal/inuse"}},
		// A package for each service manager, side by side, which know what is wanted of them from the one above.
		{"internal/terminal", []string{"internal/pattern", "internal/svc/systemd"}}, // the priorities of the journal
		{"internal/svc/systemd/transient", []string{"internal/svc", "internal/svc/systemd"}},
		{"internal/svc/systemd", []string{"internal/pattern", "internal/svc", "internal/svc/installer", "internal/atomicfile"}},
		{"internal/svc/scm", []string{"internal/svc", "internal/svc/installer", "internal/logfile"}},
		{"internal/svc/installer", nil},
		{"internal/svc", nil},
		{"internal/logfile", []string{"internal/inuse"}},
		{"internal/refusal", []string{"internal/github"}}, // for the scope that a hint is about
		{"internal/github", []string{"internal/pattern", "internal/transport", "internal/retry", "internal/secret"}},
		{"internal/secret", []string{"internal/pattern"}},
		{"internal/transport", []string{"internal/pattern", "internal/retry"}},
		{"internal/instance", []string{"internal/pattern", "internal/acl", "internal/atomicfile", "internal/openfile", "internal/reaper", "internal/removal", "internal/inuse", "internal/volume"}},
		{"internal/account", []string{"internal/pattern", "internal/acl"}},
		{"internal/acl", nil},
		{"internal/reaper", nil},
		{"internal/metadata", []string{"internal/retry"}},
		{"internal/machine", []string{"internal/instance", "internal/metadata", "internal/refusal", "internal/github"}},
		{"internal/workspace", []string{"internal/removal", "internal/folders", "internal/inuse", "internal/openat"}},
		{"internal/removal", []string{"internal/folders", "internal/openat", "internal/inuse"}},
		{"internal/folders", []string{"internal/acl"}},
		{"internal/openat", []string{"internal/acl"}},
		{"internal/sealcheck", []string{"internal/pattern", "internal/openfile", "internal/openat", "internal/inflate", "internal/atomicfile", "internal/removal"}},
		{"internal/openfile", []string{"internal/inuse"}},
		{"internal/inflate", nil},
		{"internal/atomicfile", []string{"internal/inuse"}},
		{"internal/inuse", nil},
		{"internal/retry", nil},
		{"internal/pattern", nil},
		{"internal/config", []string{"internal/pattern"}},
		{"internal/shell", nil},
		{"internal/volume", nil},
		{"internal/demo", []string{"internal/githubtest", "internal/download"}},        // the latter names the platform
		{"internal/demo/github", []string{"internal/githubtest", "internal/download"}}, // likewise
		{"internal/githubtest", nil},
		{"internal/githubtest/contract", nil},
		{"internal/githubtest/listener", nil},
		{"internal/house", nil},
		{mounttest, nil},
		{"test/e2e", []string{"test/e2e/stage", "test/e2e/machine", "internal/svc", "internal/download"}},
		{"test/e2e/machine", nil},
		{"test/e2e/stage", []string{"test/e2e/machine", "internal/download"}},
		{"test/hostile", []string{"test/e2e/stage", "test/e2e/machine"}},
		{"test/bench", []string{"internal/download", "internal/download/unpack"}},
		{"test/doctor", nil},
		{"test/life", []string{"internal/control", "internal/download", "internal/instance"}},
		{"test/herd", []string{"internal/bootstrap", "internal/plan", "internal/download", "internal/github", "internal/secret", "internal/instance", "internal/transport"}},
		{"test/infrastructure", nil},
		{"test/installer", nil},
		{"test/wine", nil},
		{"test/wine/life", []string{"test/wine", "internal/githubtest", "internal/githubtest/contract"}},
		{"test/packages", []string{"test/e2e/machine", "test/wine", "test/wine/life", "internal/download", "internal/instance"}},
	}
}

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

func importArrows(t *tree) []string {
	var findings []string
	seen, used := map[string]bool{}, map[string]bool{}
	for _, f := range t.files {
		row := rowOf(f.dir)
		if row == nil {
			if !seen[f.dir] {
				findings = append(findings, fmt.Sprintf("%s: package %s has no row in arrows(): decide what it may import", f.path, f.dir))
			}
			seen[f.dir] = true
			continue
		}
		seen[f.dir] = true
		f.imports(func(importPath string, pos token.Pos) {
			dir, ours := t.ours(importPath)
			switch {
			case !ours, dir == f.dir:
			case slices.Contains(row.to, dir):
				used[f.dir+" "+dir] = true
			case within(dir, simulator, mounttest):
				// simulatorOutside decides
			default:
				findings = append(findings, t.at(pos, "%s may not import %s", f.dir, dir))
			}
		})
	}
	if !seen["internal/house"] {
		return findings // a tree of an example, which has a few packages only
	}
	return append(findings, staleArrows(seen, used)...)
}

func rowOf(dir string) *arrow {
	for _, row := range arrows() {
		if row.from == dir {
			return &row
		}
	}
	return nil
}

// staleArrows are rows that hold for nothing: the next one would take them for leave that somebody thought about.
func staleArrows(seen, used map[string]bool) []string {
	var findings []string
	for _, row := range arrows() {
		if !seen[row.from] {
			findings = append(findings, fmt.Sprintf("arrows(): there is no package %s", row.from))
			continue
		}
		for _, to := range row.to {
			if !used[row.from+" "+to] {
				findings = append(findings, fmt.Sprintf("arrows(): %s does not import %s any more", row.from, to))
			}
		}
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
