package plan

import (
	"cmp"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
)

// TestDecideUpdate: a runner that root makes for an account has root's files, unless it is to update itself, or nobody could
// tell its agent of newer versions. All others update themselves, and what is there already stays as it is.
func TestDecideUpdate(t *testing.T) {
	t.Parallel()
	const agent, runner, off = instance.UpdateAgent, instance.UpdateRunner, instance.UpdateOff
	const cloud, tenant, server = "https://github.com/octo-org", "https://octo.ghe.com/octo-org", "https://ghes.example.com/octo-org"
	const itself, stays, becomes = "updates itself", "stays at the version", "become those of its jobs' account"
	asRoot := os.Geteuid() == 0 && runtime.GOOS == "linux"
	ephemeral, jit := instance.Identity{Ephemeral: true}, instance.Identity{Ephemeral: true, JIT: true}
	file, stdin := instance.Credential{TokenFile: "/root/token"}, instance.Credential{Kept: true}
	for name, c := range map[string]struct {
		scope      string // empty: on github.com
		identity   instance.Identity
		credential instance.Credential
		source     download.Source
		brought    bool   // a just-in-time configuration
		self       bool   // jobs run as who installs
		record     string // what an earlier install has decided; "-" for none
		gone       bool   // nothing of it is there
		id         int64  // GitHub has been told
		asked      string
		want       string
		warned     string
		refused    error
		root       bool // only root gets that
	}{
		"ephemeral":                     {identity: ephemeral, record: "-", want: agent, root: true},
		"ephemeral, off":                {identity: ephemeral, record: "-", asked: off, want: off, root: true},
		"ephemeral, by itself":          {identity: ephemeral, record: "-", asked: runner, want: runner},
		"ephemeral, of who installs":    {identity: ephemeral, self: true, record: "-", want: runner},
		"the same, by the agent":        {identity: ephemeral, self: true, record: "-", asked: agent, refused: ErrUpdate},
		"persistent":                    {record: "-", want: agent, root: true},
		"persistent, by itself":         {record: "-", asked: runner, want: runner},
		"persistent, by the agent":      {record: "-", asked: agent, want: agent, root: true},
		"persistent, off":               {record: "-", asked: off, want: off, root: true},
		"persistent, of who installs":   {self: true, record: "-", want: runner},
		"persistent, on GHE.com":        {scope: tenant, record: "-", want: agent, root: true},
		"persistent, one version":       {source: download.Source{Version: "2.337.0"}, record: "-", want: agent, warned: stays, root: true},
		"persistent, of an archive":     {source: download.Source{Archive: "x"}, record: "-", asked: agent, want: agent, warned: stays, root: true},
		"one version, that stays":       {source: download.Source{Version: "2.337.0"}, identity: instance.Identity{DisableUpdate: true}, record: "-", want: agent, root: true},
		"one version, to begin with":    {source: download.Source{Version: "2.337.0"}, record: "-", asked: runner, want: runner},
		"one version, off":              {source: download.Source{Version: "2.337.0"}, record: "-", asked: off, want: off, root: true},
		"a server, with a credential":   {scope: server, credential: file, record: "-", want: agent, root: true},
		"a server, one version":         {scope: server, credential: file, source: download.Source{Version: "2.337.0"}, record: "-", want: agent, root: true},
		"a server, without":             {scope: server, record: "-", want: runner, warned: itself},
		"a server, ephemeral, without":  {scope: server, identity: ephemeral, record: "-", want: runner, warned: itself},
		"a server, none that is kept":   {scope: server, credential: stdin, record: "-", want: runner, warned: itself},
		"a server, one that is kept":    {scope: server, identity: ephemeral, credential: stdin, record: "-", want: agent, root: true},
		"a server, none, by the agent":  {scope: server, record: "-", asked: agent, refused: ErrUntold, root: true},
		"a server, none, off":           {scope: server, record: "-", asked: off, want: off, root: true},
		"a server, none, by itself":     {scope: server, record: "-", asked: runner, want: runner},
		"a server, none, never":         {scope: server, identity: instance.Identity{DisableUpdate: true}, record: "-", want: agent, root: true},
		"a server, none, just in time":  {scope: server, identity: jit, record: "-", want: runner},
		"a server, of who installs":     {scope: server, self: true, record: "-", want: runner},
		"just in time, by the agent":    {identity: jit, record: "-", asked: agent, refused: ErrUpdate},
		"just in time":                  {identity: jit, record: "-", want: runner},
		"brought from elsewhere":        {identity: ephemeral, brought: true, record: "-", want: runner},
		"there, from before the choice": {record: "", want: ""},
		"there, by the agent":           {record: agent, want: agent},
		"there, never":                  {record: off, want: off},
		"there, without a credential":   {scope: server, record: agent, want: agent},
		"there, asked for the same":     {record: runner, asked: runner, want: runner},
		"there, old, for the same":      {record: "", asked: runner, want: ""},
		"there, asked for another":      {identity: ephemeral, record: runner, asked: agent, refused: ErrOtherUpdate},
		"there, old, for another":       {record: "", asked: agent, refused: ErrOtherUpdate},
		"there, root's, then JIT":       {identity: jit, record: agent, want: runner, warned: becomes},
		"the same, never updated":       {identity: jit, record: off, want: runner, warned: becomes},
		"the same, as it has to":        {identity: jit, record: agent, asked: runner, want: runner, warned: becomes},
		"the same, by the agent still":  {identity: jit, record: agent, asked: agent, refused: ErrUpdate},
		"there, root's, then brought":   {brought: true, record: agent, want: runner, warned: becomes},
		"the same, its files gone":      {identity: jit, record: agent, gone: true, id: 7, want: runner, warned: becomes},
		"there, JIT as before":          {identity: jit, record: runner, want: runner},
		"registered, its files gone":    {record: "", gone: true, id: 7, want: ""},
		"the same, for another":         {record: agent, gone: true, id: 7, asked: runner, refused: ErrOtherUpdate},
		"interrupted before it was":     {record: runner, gone: true, want: runner},
		"interrupted, for another":      {record: runner, gone: true, asked: agent, want: agent, root: true},
		"interrupted, long ago":         {record: "", gone: true, want: agent, root: true},
	} {
		if c.root && !asRoot {
			c.want, c.warned, c.refused = runner, "", nil
			if c.asked != "" {
				c.refused = ErrUpdate
			}
		}
		if !asRoot && c.warned == itself {
			c.warned = ""
		}
		scope, err := github.ParseScope(cmp.Or(c.scope, cloud), "")
		if err != nil {
			t.Fatal(err)
		}
		p := planner{
			Details: &Details{
				Request: Request{Scope: scope, Identity: c.identity, Credential: c.credential, Source: c.source, Update: c.asked},
				Record:  instance.Record{Name: "web-1", Dir: t.TempDir()}, JobUser: account.User{Self: c.self},
			},
			maker: &Maker{Log: slog.New(slog.DiscardHandler)}, plan: &Plan{}, known: c.record != "-",
		}
		p.Record.Update, p.Record.RunnerID = strings.Trim(c.record, "-"), c.id
		if c.gone || !p.known {
			p.Record.Dir = filepath.Join(p.Record.Dir, "missing")
		}
		if c.brought {
			p.Request.JIT = &register.JITConfig{}
		}
		err = decideUpdate(&p)
		if !errors.Is(err, c.refused) || err == nil && p.Record.Update != c.want {
			t.Errorf("%s: %q, %v, want %q, %v", name, p.Record.Update, err, c.want, c.refused)
		}
		if said := strings.Join(p.plan.Warnings, "; "); !strings.Contains(said, c.warned) || (said == "") != (c.warned == "") {
			t.Errorf("%s: the plan warns %q, want %q", name, said, c.warned)
		}
	}
}
