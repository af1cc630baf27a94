package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

const installTable = "install"

// Both sides end when the runner's listener has said that it listens: what runs then
// is killed by the one who measures. What is waited for without a service is less than with one, where the
// wait for the disk goes on beside the listener.
const (
	// As GitHub's page for a new runner says it, as root.
	shellInstall = `set -eu
cd "$1"
curl -fsSL -o "$3" "$2"
echo "$4  $3" | sha256sum -c --quiet
mkdir runner
tar xzf "$3" -C runner
cd runner
export RUNNER_ALLOW_RUNASROOT=1
./config.sh --unattended --url "$5" --token "$6" --name shell --replace >../config.log
mkfifo out
./run.sh >out 2>&1 &
sed '/Listening for Jobs/q' <out >../run.log
grep -q 'Listening for Jobs' ../run.log
`
	ourInstall = `set -eu
cd "$1"
"$2" install --dir host --url "$3" --token-file "$4" --name ours --no-service --no-progress $5 2>install.log || { cat install.log; exit 1; }
mkfifo out
"$2" run --dir host --name ours >out 2>&1 &
sed '/listening for jobs/q' <out >run.log
grep -q 'listening for jobs' run.log
`
)

// installCases are the rows: from nothing to a listener that listens, as people do it.
func installCases(g *live, p product, account string) []benchCase {
	words := ""
	if account != "" {
		words = "--user " + account
	}
	return []benchCase{
		{
			name: baselineName, title: "curl; sha256sum -c; tar xzf; config.sh; run.sh",
			needs: []string{"bash", "curl", "sha256sum", "tar", "gzip", "mkfifo", "sed"},
			command: func(p place) []string {
				return []string{
					"bash", "-c", shellInstall, "bench", p.dir, g.url, g.archive.Name, g.archive.SHA256,
					g.scopeURL(), g.server.RegistrationToken(scope),
				}
			},
			setup: g.forget, files: g.archive.Files,
		},
		{
			name: "ours", title: "**runner-bootstrap install; run**", lacking: p.lacking,
			needs: []string{"bash", "mkfifo", "sed"},
			command: func(place place) []string {
				return []string{"bash", "-c", ourInstall, "bench", place.dir, p.path, g.scopeURL(), g.token, words}
			},
			setup: g.forget, files: g.archive.Files,
		},
	}
}

// forget takes the runners of former runs away from the simulated GitHub.
func (g *live) forget(context.Context, place) error {
	for _, r := range g.server.Runners(scope) {
		g.server.DeleteRunner(r.ID)
	}
	return nil
}

// measureInstall measures where every account can enter, as jobs run as another one.
func (b *bench) measureInstall(ctx context.Context, r *report) (err error) {
	t := &table{Name: installTable, Title: "From nothing to a runner that listens", Baseline: baselineName}
	if !b.wants(t, benchCase{name: baselineName}) && !b.wants(t, benchCase{name: "ours"}) {
		return nil
	}
	dir, err := b.work.goOutside()
	if err != nil {
		return fmt.Errorf("making a place for runners: %w", err)
	}
	defer func() { err = errors.Join(err, b.work.leaveOutside()) }()
	g, err := b.openLive(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.server.Close()) }()
	account := ""
	if os.Geteuid() == 0 {
		account = jobAccount
	}
	elsewhere := *b
	elsewhere.work = b.work.at(filepath.Join(dir, "volume"))
	if err := elsewhere.measureTable(ctx, t, nil, installCases(g, b.product, account)); err != nil {
		return err
	}
	r.add(t)
	return nil
}
