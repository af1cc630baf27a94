package house

import (
	"go/ast"
	"go/token"
	"regexp"
	"strconv"
)

// patternsCompile looks at every pattern, and at regular expressions that the start of the program would compile.
func patternsCompile(t *tree) (found []string) {
	for _, f := range t.code() {
		if within(f.dir, simulator) {
			continue
		}
		for _, d := range f.syntax.Decls {
			if v, ok := d.(*ast.GenDecl); ok && v.Tok == token.VAR {
				ast.Inspect(v, func(n ast.Node) bool {
					_, later := n.(*ast.FuncLit)
					if call, ok := n.(*ast.CallExpr); ok && calledName(call) == "MustCompile" {
						found = append(found, t.at(call.Pos(), "each start of the program compiles it; internal/pattern does when it is used"))
					}
					return !later
				})
			}
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) != 1 {
				return true
			}
			if of, ok := call.Fun.(*ast.SelectorExpr); !ok || of.Sel.Name != "New" || typeName(of.X) != "pattern" {
				return true
			}
			if _, err := regexp.Compile(textOf(call.Args[0])); err != nil {
				found = append(found, t.at(call.Pos(), "it is no regular expression: %v", err))
			}
			return true
		})
	}
	return found
}

// textOf is what a constant says; a name in it counts as a word.
func textOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		if err == nil {
			return text
		}
	case *ast.BinaryExpr:
		return textOf(e.X) + textOf(e.Y)
	case *ast.ParenExpr:
		return textOf(e.X)
	}
	return "word"
}

func patternExamples() []example {
	const patterns = "patterns compile, and late"
	return []example{
		{patterns, "a pattern", map[string]string{"a/a.go": "package x\nvar p = pattern.New(`^a` + name + \"(b|c)\")"}, ""},
		{patterns, "in a function", map[string]string{"a/a.go": "package x\nvar f = func() { regexp.MustCompile(`a`) }\nfunc g() { regexp.MustCompile(`a`) }"}, ""},
		{patterns, "of a test", map[string]string{"a/a_test.go": "package x\nvar p = regexp.MustCompile(`a`)"}, ""},
		{patterns, "none", map[string]string{"a/a.go": "package x\nvar p = pattern.New(`(a` + \"b\")"}, "a/a.go:2: it is no regular expression"},
		{patterns, "at the start", map[string]string{"a/a.go": "package x\nvar (\n\tp = []*regexp.Regexp{regexp.MustCompile(`a`)}\n)"}, "a/a.go:3: each start"},
	}
}
