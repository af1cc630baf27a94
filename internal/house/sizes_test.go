package house

import (
	"fmt"
	"go/ast"
	"maps"
	"slices"
	"strings"
)

// What one reader can hold in mind. The linters have the lines of a function and of a file.
const (
	maxPackage = 2500 // lines, without tests
	maxFields  = 20   // of a struct
	maxMethods = 25   // of a type
)

// packageSizes leaves the simulator alone, which is as large as what it stands for, and what is no library.
func packageSizes(t *tree) []string {
	lines := map[string]int{}
	for _, f := range t.code() {
		if within(f.dir, "internal") && !within(f.dir, simulator) {
			lines[f.dir] += f.lines
		}
	}
	var findings []string
	for _, dir := range slices.Sorted(maps.Keys(lines)) {
		if lines[dir] > maxPackage {
			findings = append(findings, fmt.Sprintf("%s: the package has %d lines without tests, of %d", dir, lines[dir], maxPackage))
		}
	}
	return findings
}

func structSizes(t *tree) []string {
	var findings []string
	for _, f := range t.code() {
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			if s, ok := n.(*ast.StructType); ok && s.Fields.NumFields() > maxFields {
				findings = append(findings, t.at(s.Pos(), "the struct has %d fields, of %d", s.Fields.NumFields(), maxFields))
			}
			return true
		})
	}
	return findings
}

// methodCounts counts a method once that each platform has in a file of its own.
func methodCounts(t *tree) []string {
	methods := map[string]map[string]bool{} // by package and type
	for _, f := range t.code() {
		for _, declaration := range f.syntax.Decls {
			fn, ok := declaration.(*ast.FuncDecl)
			if !ok || fn.Recv == nil {
				continue
			}
			owner := f.dir + "." + typeName(fn.Recv.List[0].Type)
			if methods[owner] == nil {
				methods[owner] = map[string]bool{}
			}
			methods[owner][fn.Name.Name] = true
		}
	}
	var findings []string
	for _, owner := range slices.Sorted(maps.Keys(methods)) {
		if n := len(methods[owner]); n > maxMethods {
			findings = append(findings, fmt.Sprintf("%s: the type has %d methods, of %d", owner, n, maxMethods))
		}
	}
	return findings
}

// wholesEmbedded finds types that take over all that a host or a plan is, to use some of it.
func wholesEmbedded(t *tree) []string {
	var findings []string
	for _, f := range t.code() {
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			s, ok := n.(*ast.StructType)
			if !ok {
				return true
			}
			for _, field := range s.Fields.List {
				if len(field.Names) > 0 {
					continue
				}
				if name := typeName(field.Type); slices.Contains([]string{"Host", "Plan"}, name) {
					findings = append(findings, t.at(field.Pos(), "a %s may not be embedded: name the field", name))
				}
			}
			return true
		})
	}
	return findings
}

// typeName is the name of a type, without what it points to it by, its package and its parameters.
func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return typeName(e.X)
	case *ast.ParenExpr:
		return typeName(e.X)
	case *ast.IndexExpr:
		return typeName(e.X)
	case *ast.IndexListExpr:
		return typeName(e.X)
	case *ast.SelectorExpr:
		return e.Sel.Name
	case *ast.Ident:
		return e.Name
	}
	return ""
}

func sizeExamples() []example {
	const packages, structs, methods, wholes = "package size", "struct size", "methods of a type", "nothing whole embedded"
	lines := func(n int) string { return "package x\n" + strings.Repeat("// x\n", n-1) }
	fields := func(n int) string {
		return "package x\ntype T struct {\n" + strings.Repeat("a, b int\n", n/2) + strings.Repeat("E\n", n%2) + "}\n"
	}
	each := func(form string, from, to int) string {
		var b strings.Builder
		for i := from; i < to; i++ {
			fmt.Fprintf(&b, form, i)
		}
		return b.String()
	}
	onT := func(from, to int) string { return "package x\n" + each("func (t *T) m%d() {}\n", from, to) }
	return []example{
		{packages, "full", map[string]string{"internal/x/a.go": lines(2000), "internal/x/b_linux.go": lines(500)}, ""},
		{packages, "with its tests", map[string]string{"internal/x/a.go": lines(2500), "internal/x/a_test.go": lines(2500)}, ""},
		{packages, "beside another", map[string]string{"internal/x/a.go": lines(2000), "internal/x/y/b.go": lines(2000)}, ""},
		{packages, "the simulator", map[string]string{"internal/githubtest/a.go": lines(3000), "internal/githubtest/listener/a.go": lines(3000)}, ""},
		{packages, "the command", map[string]string{"cmd/runner-bootstrap/a.go": lines(3000)}, ""},
		{packages, "in one file", map[string]string{"internal/x/a.go": lines(2501)}, "internal/x: the package has 2501 lines"},
		{packages, "for all platforms", map[string]string{"internal/x/a_linux.go": lines(2000), "internal/x/a_windows.go": lines(600)}, "2600 lines"},

		{structs, "full", map[string]string{"a/a.go": fields(20)}, ""},
		{structs, "of a test", map[string]string{"a/a_test.go": fields(30)}, ""},
		{structs, "too large", map[string]string{"a/a.go": fields(21)}, "a/a.go:2: the struct has 21 fields"},
		{structs, "too large within", map[string]string{"a/a.go": "package x\nvar v = struct{ in struct {\n" + strings.Repeat("a, b, c int\n", 7) + "} }{}"}, "21 fields"},

		{methods, "full", map[string]string{"a/a.go": onT(0, 25)}, ""},
		{methods, "of two platforms", map[string]string{"a/a_linux.go": onT(0, 20), "a/a_windows.go": onT(0, 20)}, ""},
		{methods, "of two types", map[string]string{"a/a.go": onT(0, 20) + each("func (U) m%d() {}\n", 0, 20)}, ""},
		{methods, "of two packages", map[string]string{"a/a.go": onT(0, 20), "b/b.go": onT(20, 40)}, ""},
		{methods, "in two files", map[string]string{"a/a.go": onT(0, 20), "a/b.go": onT(20, 26)}, "a.T: the type has 26 methods"},
		{methods, "by pointer and by value", map[string]string{"a/a.go": onT(0, 20) + each("func (t T) m%d() {}\n", 20, 26)}, "26 methods"},
		{methods, "of a generic type", map[string]string{"a/a.go": "package x\n" + each("func (t *T[K, V]) m%d() {}\n", 0, 26)}, "a.T: the type has 26 methods"},

		{wholes, "a field", map[string]string{"a/a.go": "package x\ntype T struct{ host *Host; plan *plan.Plan; *Details }"}, ""},
		{wholes, "a longer name", map[string]string{"a/a.go": "package x\ntype T struct{ *HostFacts; Planner }"}, ""},
		{wholes, "a host", map[string]string{"a/a.go": "package x\ntype T struct{\n*Host\n}"}, "a/a.go:3: a Host may not be embedded"},
		{wholes, "another package's", map[string]string{"a/a.go": "package x\ntype T struct{ *bootstrap.Host }"}, "a Host may not be embedded"},
		{wholes, "by value", map[string]string{"a/a.go": "package x\ntype T struct{ plan.Plan }"}, "a Plan may not be embedded"},
		{wholes, "in what has no name", map[string]string{"a/a.go": "package x\nfunc f() { _ = struct{ *Plan }{} }"}, "a Plan may not be embedded"},
	}
}
