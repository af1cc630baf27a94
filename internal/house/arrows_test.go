package house

import (
	"fmt"
	"go/token"
	"slices"
	"strings"
	"testing"
)

// arrow is what a package may import of ours.
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
			"internal/terminal", "internal/userdata", "internal/folders", "internal/trust",
		}},
		// Neither this one nor the agent imports the other: they meet in the record.
		{"internal/bootstrap", []string{
			"internal/plan", "internal/libraries", "internal/places", "internal/download", "internal/register", "internal/svc",
			"internal/health", "internal/workspace", "internal/sealcheck", "internal/github", "internal/secret", "internal/instance",
			"internal/account", "internal/refusal", "internal/control", "internal/removal", "internal/folders", "internal/machine",
			"internal/startup", "internal/sudoers", "internal/volume", "internal/retry",
		}},
		{"internal/startup", []string{
			"internal/plan", "internal/supervise", "internal/register", "internal/svc", "internal/secret", "internal/instance", "internal/account",
		}},
		{"internal/status", []string{
			"internal/control", "internal/github", "internal/instance", "internal/register", "internal/supervise", "internal/svc",
			"internal/machine", "internal/refusal", "internal/volume", "internal/folders",
		}},
		// What a plan needs is read; who carries it out stands above.
		{"internal/plan", []string{
			"internal/pattern",
			"internal/places", "internal/download", "internal/supervise", "internal/register", "internal/svc", "internal/health",
			"internal/metadata", "internal/github", "internal/secret", "internal/instance", "internal/account", "internal/refusal", "internal/machine",
			"internal/openfile", "internal/sudoers", "internal/trust",
		}},
		{"internal/agent", []string{
			"internal/runnerdir", "internal/strays",
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
		{"internal/trust", []string{"internal/account", "internal/folders", "internal/openfile", "internal/refusal"}},
		{"internal/places", []string{"internal/acl", "internal/download", "internal/folders", "internal/instance", "internal/account", "internal/shell", "internal/volume"}},
		{"internal/supervise", []string{
			"internal/pattern",
			"internal/register", "internal/instance", "internal/reaper", "internal/jail", "internal/account", "internal/retry",
			"internal/folders", "internal/openfile",
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
		}},
		{"internal/download", []string{
			"internal/pattern",
			"internal/inuse",
			"internal/download/transfer", "internal/download/unpack", "internal/download/unpack/naming", "internal/download/stamp", "internal/folders", "internal/github", "internal/secret", "internal/atomicfile",
			"internal/refusal", "internal/removal", "internal/openfile", "internal/acl", "internal/volume",
		}},
		{"internal/download/transfer", []string{"internal/pattern", "internal/transport", "internal/retry", "internal/inuse"}}, // the former for the rules of redirects
		{"internal/download/stamp", nil},
		{"internal/download/unpack", []string{"internal/atomicfile", "internal/download/stamp", "internal/download/unpack/ahead", "internal/download/unpack/naming", "internal/download/unpack/workers", "internal/inflate", "internal/openat", "internal/removal", "internal/acl", "internal/inuse", "internal/volume"}},
		{"internal/download/unpack/ahead", []string{"internal/inflate"}},
		{"internal/download/unpack/naming", nil},
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
		{"test/bench", []string{"internal/download", "internal/download/unpack", "internal/download/unpack/naming"}},
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

// testArrows says what the tests of a package may import besides.
func testArrows() []arrow {
	return []arrow{
		{"internal/bootstrap", []string{
			"internal/jail",        // the first process of a config.sh
			"internal/svc/systemd", // refuses what is refused
			"internal/supervise",
			"internal/transport", // the clients that speak to the simulator, here and below
		}},
		{"internal/status", []string{"internal/secret", "internal/transport"}},
		{"internal/plan", []string{"internal/svc/systemd", "internal/transport"}},
		{"internal/supervise", []string{"internal/removal", "internal/secret"}},
		{"internal/register", []string{"internal/transport"}},
		{"internal/download", []string{"internal/transport"}},
	}
}

// importArrows. A row of arrows that tests alone need is stale: it belongs to testArrows, unless there is nothing but tests.
func importArrows(t *tree) []string {
	var findings []string
	seen, used := map[string]bool{}, map[arrowUse]bool{}
	for _, f := range t.files {
		row := rowOf(arrows(), f.dir)
		if row == nil {
			if !seen[f.dir] {
				findings = append(findings, fmt.Sprintf("%s: package %s has no row in arrows(): decide what it may import", f.path, f.dir))
			}
			seen[f.dir] = true
			continue
		}
		seen[f.dir] = true
		forTests := rowOf(testArrows(), f.dir)
		f.imports(func(importPath string, pos token.Pos) {
			dir, ours := t.ours(importPath)
			switch {
			case !ours, dir == f.dir:
			case slices.Contains(row.to, dir):
				use := arrowUse{f.dir, dir, false}
				used[use] = used[use] || !f.test || within(f.dir, "test")
			case f.test && forTests != nil && slices.Contains(forTests.to, dir):
				used[arrowUse{f.dir, dir, true}] = true
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

func rowOf(rows []arrow, dir string) *arrow {
	for _, row := range rows {
		if row.from == dir {
			return &row
		}
	}
	return nil
}

// arrowUse is one import that a row was needed for: of arrows, or of testArrows.
type arrowUse struct {
	from, to string
	byTests  bool
}

// staleArrows are rows that hold for nothing: the next one would take them for leave that somebody thought about.
func staleArrows(seen map[string]bool, used map[arrowUse]bool) []string {
	var findings []string
	for _, row := range arrows() {
		if !seen[row.from] {
			findings = append(findings, fmt.Sprintf("arrows(): there is no package %s", row.from))
			continue
		}
		for _, to := range row.to {
			if !used[arrowUse{row.from, to, false}] {
				findings = append(findings, fmt.Sprintf("arrows(): %s does not import %s any more, or only its tests do", row.from, to))
			}
		}
	}
	for _, row := range testArrows() {
		for _, to := range row.to {
			if !used[arrowUse{row.from, to, true}] {
				findings = append(findings, fmt.Sprintf("testArrows(): the tests of %s do not import %s any more", row.from, to))
			}
		}
	}
	return findings
}

func TestStaleArrows(t *testing.T) {
	seen, used := map[string]bool{}, map[arrowUse]bool{}
	for _, row := range arrows() {
		seen[row.from] = true
		for _, to := range row.to {
			used[arrowUse{row.from, to, false}] = true
		}
	}
	for _, row := range testArrows() {
		for _, to := range row.to {
			used[arrowUse{row.from, to, true}] = true
		}
	}
	if got := staleArrows(seen, used); len(got) != 0 {
		t.Errorf("with all of them in use: %q", got)
	}
	delete(seen, "internal/retry")
	used[arrowUse{"internal/github", "internal/transport", false}] = false // only its tests do
	delete(used, arrowUse{"internal/plan", "internal/transport", true})
	want := []string{"internal/github does not import internal/transport", "no package internal/retry", "tests of internal/plan do not import"}
	got := staleArrows(seen, used)
	if len(got) != len(want) {
		t.Fatalf("found %q", got)
	}
	for i := range want {
		if !strings.Contains(got[i], want[i]) {
			t.Errorf("found %q, want %q", got[i], want[i])
		}
	}
}
