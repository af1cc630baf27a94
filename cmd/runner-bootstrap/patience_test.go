package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/places"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
)

// TestEveryCauseHasAVerdict: somebody has decided of each cause whether a machine waits for its end.
func TestEveryCauseHasAVerdict(t *testing.T) {
	t.Parallel()
	for _, m := range meanings() {
		if m.when < never || m.when > soon {
			t.Errorf("whether time mends %q is not decided", m.of)
		}
	}
}

// neverStopsAnInstall are the causes that no install ends with: why each is none of [meanings].
func neverStopsAnInstall() map[string]string {
	return map[string]string{
		"strays.ErrNotAlone":          "an agent waits, and install has gone by then",
		"agent.ErrHangs":              "an end of an agent, which its service manager starts again",
		"control.ErrAnswer":           "of the socket of an agent: status and drain say it in their words",
		"control.ErrForeign":          "of the socket of an agent",
		"control.ErrNoAgent":          "of the socket of an agent",
		"control.ErrNoAnswer":         "of the socket of an agent",
		"control.ErrRunning":          "an agent's start, which its service reports",
		"libraries.ErrPackagesLocked": "doctor and uninstall wait for it, and install calls no package manager",
		"download.ErrLayout":          "download.ErrArchive is around it",
		"folders.ErrNotFolder":        "told by the one who looks",
		"github.ErrFineGrained":       "beside github.ErrForbidden",
		"github.ErrIntegration":       "beside github.ErrForbidden",
		"github.ErrRole":              "beside github.ErrForbidden",
		"health.ErrWebhook":           "the option is refused as usage",
		"installer.ErrUnknown":        "unexpected: systemd was asked for, and is known",
		"openfile.ErrNotRegular":      "told by the one who opens",
		"places.ErrWorkFull":          "in places.ErrWork",
		"places.ErrWorkKind":          "in places.ErrWork",
		"places.ErrWorkOwner":         "in places.ErrWork",
		"places.ErrWorkParent":        "in places.ErrWork",
		"places.ErrWorkTaken":         "in places.ErrWork",
		"places.ErrWorkTemporary":     "in places.ErrWork",
		"register.ErrNotConfigured":   "it is registered then",
		"register.ErrRefused":         "words of config.sh that nobody knows: unexpected",
		"register.ErrUnknown":         "words of config.sh that nobody knows: unexpected",
		"scm.ErrAbsent":               "in an svc.Error",
		"scm.ErrMarked":               "in an svc.Error",
		"stamp.ErrFormat":             "the tree is unpacked again",
		"supervise.ErrNothingNewer":   "an agent goes on",
		"systemd.ErrVersion":          "the newest systemd is assumed",
		"transfer.ErrLength":          "fetched again, or in download.ErrTransfer",
		"transfer.ErrTransfer":        "the same as download.ErrTransfer",
		"transfer.ErrDenied":          "the same as download.ErrDenied",
		"transient.ErrTooOld":         "jobs are confined otherwise",
		"unpack.ErrArchive":           "the same as download.ErrArchive",
		"unpack.ErrDamaged":           "the same as download.ErrDamaged",
		"unpack.ErrLayout":            "in download.ErrArchive",
		"unpack.ErrSpace":             "the same as download.ErrSpace",
		"unpack.ErrStale":             "the tree is unpacked again",
		"workspace.ErrContainsRunner": "nothing is tidied then",
		"workspace.ErrOther":          "nothing is tidied then",
	}
}

// TestEveryCauseIsInTheTable: what a package may fail with has an exit code, a hint and a verdict, or a reason why not.
func TestEveryCauseIsInTheTable(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("meanings.go")
	if err != nil {
		t.Fatal(err)
	}
	known := regexp.MustCompile(`\{([a-z]+\.Err[A-Za-z]+),`).FindAllStringSubmatch(string(text), -1)
	var named []string
	for _, match := range known {
		named = append(named, match[1])
	}
	reasons := neverStopsAnInstall()
	for _, cause := range causes(t) {
		_, excepted := reasons[cause]
		if listed := slices.Contains(named, cause); listed == excepted {
			t.Errorf("%s: in the tables of meanings.go %t, with a reason not to be %t", cause, listed, excepted)
		}
		delete(reasons, cause)
	}
	for cause := range reasons {
		t.Errorf("%s is no cause", cause)
	}
}

// causes are the exported errors of all packages.
func causes(t *testing.T) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir("../../internal", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "githubtest" || entry.Name() == "testdata"):
			return fs.SkipDir
		case filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		for _, declaration := range file.Decls {
			general, isGeneral := declaration.(*ast.GenDecl)
			if !isGeneral || general.Tok != token.VAR {
				continue
			}
			for _, spec := range general.Specs {
				for _, name := range spec.(*ast.ValueSpec).Names {
					if strings.HasPrefix(name.Name, "Err") {
						all = append(all, file.Name.Name+"."+name.Name)
					}
				}
			}
		}
		return nil
	})
	if err != nil || len(all) < 100 {
		t.Fatalf("%d causes: %v", len(all), err)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func TestMends(t *testing.T) {
	t.Parallel()
	minted := register.ErrTokenRefused
	for name, c := range map[string]struct {
		err    error
		issued bool
		want   mending
	}{
		"nothing":                          {nil, false, never},
		"a command that prints no secret":  {fmt.Errorf("--token-command: %w", errSecretCommand), false, soon},
		"a file that is not there":         {unread(fs.ErrNotExist, "reading it"), false, later},
		"a file that is a directory":       {unread(fs.ErrInvalid, "reading it"), false, never},
		"an option":                        {usagef("no"), false, never},
		"a wrong URL":                      {github.ErrScope, false, never},
		"a secret that is no token yet":    {secret.ErrToken, false, later},
		"a server that is ill":             {fmt.Errorf("%w", github.ErrServer), false, soon},
		"an operation that is not there":   {errors.Join(&github.Error{Status: http.StatusNotImplemented}, github.ErrServer), false, later},
		"nobody answers":                   {github.ErrNetwork, false, soon},
		"a page in GitHub's place":         {github.ErrNotGitHub, false, later},
		"a token that we had minted":       {minted, false, later},
		"the only registration token":      {minted, true, never},
		"a ghost of this name":             {register.ErrNameListed, false, later},
		"what nobody expected":             {errors.New("odd"), false, later},
		"the disk is full":                 {fmt.Errorf("writing: %w", places.ErrInodes), false, later},
		"another scope":                    {plan.ErrOtherScope, false, never},
		"joined with what came of undoing": {errors.Join(github.ErrNetwork, errors.New("odd")), false, soon},
	} {
		call := &session{}
		if c.issued {
			call.issued.registration = secret.New("AAA")
		}
		if got := mends(call, c.err); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}
