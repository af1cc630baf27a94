package main

import (
	"context"
	"path/filepath"
	"strconv"
)

// place is what a case has to work with.
type place struct {
	dir     string // empty, for it alone
	url     string // of the archive
	mirror  string // the same for runner-bootstrap
	fixture *fixture
	product product
	self    string // this program
}

// benchCase is one row of a table.
type benchCase struct {
	name, title string
	needs       []string // programs of the host
	lacking     string   // another reason not to run
	setup       func(ctx context.Context, p place) error
	command     func(p place) []string
	files       int // that are there afterwards, at least
}

const (
	baselineName = "shell"
	transferName = "transfer"
)

// The shell of today, in the words of GitHub's own instructions.
const (
	shellScript = `set -eu
cd "$1"
curl -fsS -o "$3" "$2"
echo "$4  $3" | sha256sum -c --quiet
mkdir runner
tar xzf "$3" -C runner
`
	shellSyncScript = shellScript + `sync -f .
`
	// The fastest that the same tools can be joined to: everything at once, and
	// the best decoder. It unpacks before it knows the digest.
	igzipScript = `set -euo pipefail
cd "$1"
mkdir runner
mkfifo bytes
sha256sum <bytes >sum &
curl -fsS "$2" | tee bytes | igzip -d | tar x -C runner
wait $!
read -r got _ <sum
[ "$got" = "$4" ]
`
	tarScript = `set -eu
cd "$1"
mkdir runner
tar xzf "$2" -C runner
`
)

func script(text string) func(place) []string {
	return func(p place) []string {
		return []string{"bash", "-c", text, "bench", p.dir, p.url, p.fixture.Tar.Name, p.fixture.Tar.SHA256}
	}
}

// linkCases are the rows of a link's table.
func linkCases(l link, f *fixture, product product) []benchCase {
	shell := []string{"bash", "curl", "sha256sum", "tar", "gzip"}
	cases := []benchCase{
		{
			name: transferName, title: "transfer alone (curl)", needs: []string{"curl"},
			command: func(p place) []string { return []string{"curl", "-fsS", "-o", "/dev/null", p.url} },
		},
		{name: baselineName, title: "curl; sha256sum -c; tar xzf", needs: shell, command: script(shellScript), files: f.Tar.Files + 1},
	}
	if l.rate == 0 || l.name == "1g" {
		cases = append(cases, benchCase{
			name: "shell-sync", title: "the same; sync -f", needs: append(shell, "sync"),
			command: script(shellSyncScript), files: f.Tar.Files + 1,
		})
	}
	cases = append(cases,
		benchCase{
			name: "igzip", title: "curl \\| tee >(sha256sum) \\| igzip -d \\| tar x", needs: append(shell, "igzip", "mkfifo", "tee"),
			command: script(igzipScript), files: f.Tar.Files,
		},
		benchCase{
			name: "aria2c", title: "aria2c -x8 -s8 -k1M, transfer alone", needs: []string{"aria2c"},
			command: func(p place) []string {
				return []string{
					"aria2c", "--quiet", "-x8", "-s8", "-k1M", "--file-allocation=none", "--no-conf",
					"-d", p.dir, "-o", p.fixture.Tar.Name, p.url,
				}
			},
			files: 1,
		},
		// The shell waits for no disk, so this is what compares with it.
		prepareCase("ours", "**runner-bootstrap prepare --no-sync**", f, product, "--no-sync"),
		prepareCase("ours-synced", "runner-bootstrap prepare", f, product),
	)
	if l.each {
		cases = append(cases, prepareCase("ours-1", "runner-bootstrap prepare --no-sync --connections 1", f, product,
			"--no-sync", "--connections", "1"))
	}
	return cases
}

func prepareCase(name, title string, f *fixture, product product, more ...string) benchCase {
	return benchCase{
		name: name, title: title, lacking: product.lacking,
		command: func(p place) []string {
			return append([]string{
				p.product.path, "prepare", "--dir", filepath.Join(p.dir, "host"), "--mirror", p.mirror,
				"--runner-version", version, "--sha256", p.fixture.Tar.SHA256, "--no-progress",
			}, more...)
		},
		files: f.Tar.Files,
	}
}

// warmCases are about a host that has a runner already and gets more of them.
func warmCases(f *fixture) []benchCase {
	ours := func(name, title string, count int) benchCase {
		clone := func(p place, count int) []string {
			return []string{
				p.self, "clone", "-cache", filepath.Join(p.dir, "cache"), "-archive", p.fixture.Tar.Path, "-sha256", p.fixture.Tar.SHA256,
				"-to", filepath.Join(p.dir, "runners"), "-count", strconv.Itoa(count),
			}
		}
		return benchCase{
			name: name, title: title,
			setup: func(ctx context.Context, p place) error {
				_, err := measure(ctx, p.dir, clone(p, 0))
				return err
			},
			command: func(p place) []string { return clone(p, count) },
			files:   (count + 1) * f.Tar.Files,
		}
	}
	return []benchCase{
		{
			name: "tar", title: "tar xzf of the kept archive", needs: []string{"bash", "tar", "gzip"}, files: f.Tar.Files,
			command: func(p place) []string { return []string{"bash", "-c", tarScript, "bench", p.dir, p.fixture.Tar.Path} },
		},
		ours("ours", "**runner-bootstrap, one more runner of root's files**", 1),
		ours("ours-8", "runner-bootstrap, eight more runners of root's files", 8),
	}
}

// zipCases compare the decoder that the product has with the standard library's,
// in the form that archives for Windows have.
func zipCases(f *fixture) []benchCase {
	unzip := func(more ...string) func(p place) []string {
		return func(p place) []string {
			return append([]string{p.self, "unzip", "-file", p.fixture.Zip.Path, "-dir", p.dir, "-workers", "2"}, more...)
		}
	}
	return []benchCase{
		{name: "standard", title: "archive/zip, 2 workers", command: unzip("-standard"), files: f.Zip.Files},
		{name: "ours", title: "**runner-bootstrap, 2 workers**", command: unzip(), files: f.Zip.Files},
	}
}
