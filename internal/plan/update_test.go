package plan

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
)

// TestDecideUpdate: an ephemeral runner that root makes for an account has root's files, unless it is to update itself. All
// others update themselves, and what is there already stays as it is.
func TestDecideUpdate(t *testing.T) {
	t.Parallel()
	const agent, runner, off = instance.UpdateAgent, instance.UpdateRunner, instance.UpdateOff
	asRoot := os.Geteuid() == 0 && runtime.GOOS == "linux"
	there := t.TempDir()
	ephemeral, jit := instance.Identity{Ephemeral: true}, instance.Identity{Ephemeral: true, JIT: true}
	for name, c := range map[string]struct {
		identity instance.Identity
		brought  bool   // a just-in-time configuration
		self     bool   // jobs run as who installs
		record   string // what an earlier install has decided; "-" for none
		asked    string
		want     string // empty for a refusal
		refused  error
		root     bool // only root gets that
	}{
		"ephemeral":                      {identity: ephemeral, record: "-", want: agent, root: true},
		"ephemeral, off":                 {identity: ephemeral, record: "-", asked: off, want: off, root: true},
		"ephemeral, by itself":           {identity: ephemeral, record: "-", asked: runner, want: runner},
		"ephemeral, of who installs":     {identity: ephemeral, self: true, record: "-", want: runner},
		"the same, by the agent":         {identity: ephemeral, self: true, record: "-", asked: agent, refused: ErrUpdate},
		"persistent":                     {record: "-", want: runner},
		"persistent, by the agent":       {record: "-", asked: agent, want: agent, root: true},
		"persistent, off":                {record: "-", asked: off, want: off, root: true},
		"just in time, by the agent":     {identity: jit, record: "-", asked: agent, refused: ErrUpdate},
		"just in time":                   {identity: jit, record: "-", want: runner},
		"brought from elsewhere":         {identity: ephemeral, brought: true, record: "-", want: runner},
		"there, from before the choice":  {identity: ephemeral, record: "", want: ""},
		"there, by the agent":            {identity: ephemeral, record: agent, want: agent},
		"there, asked for the same":      {identity: ephemeral, record: runner, asked: runner, want: runner},
		"there, asked for another":       {identity: ephemeral, record: runner, asked: agent, refused: ErrOtherUpdate},
		"there, old, asked for another":  {identity: ephemeral, record: "", asked: agent, refused: ErrOtherUpdate},
		"there, root's, then persistent": {record: agent, want: agent},
		"there, root's, then JIT":        {identity: jit, record: agent, refused: ErrOtherUpdate},
	} {
		if c.root && !asRoot {
			c.want = runner
			if c.asked != "" {
				c.refused = ErrUpdate
			}
		}
		record := instance.Record{Name: "web-1", Dir: there}
		if record.Update = c.record; c.record == "-" {
			record.Update, record.Dir = "", filepath.Join(there, "missing")
		}
		r := Request{Identity: c.identity, Update: c.asked}
		if c.brought {
			r.JIT = &register.JITConfig{}
		}
		err := decideUpdate(r, &record, true, account.User{Self: c.self})
		if !errors.Is(err, c.refused) || err == nil && record.Update != c.want {
			t.Errorf("%s: %q, %v, want %q, %v", name, record.Update, err, c.want, c.refused)
		}
	}
}
