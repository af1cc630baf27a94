package terminal

import (
	"strings"
	"testing"
)

// TestFitted: a line is broken at its words, and a command at its end can be pasted as it stands.
func TestFitted(t *testing.T) {
	const narrowest, usual = 40, 80
	for name, c := range map[string]struct {
		line    string
		columns int
		want    string
	}{
		"no terminal":  {strings.Repeat("word ", 30), 0, strings.Repeat("word ", 30)},
		"fits":         {"runner web-1 is removed", narrowest, "runner web-1 is removed"},
		"text":         {"runner web-1 was restarted, and takes jobs", narrowest, "runner web-1 was restarted, and takes\n  jobs"},
		"a long word":  {"see " + strings.Repeat("x", 50) + " there", narrowest, "see\n  " + strings.Repeat("x", 50) + "\n  there"},
		"further line": {"  in a second line of an error that is long", narrowest, "  in a second line of an error that is\n    long"},
		"phase": {
			"+ remove      /opt/actions-runner/web-1: removed, and what else there is to tell", 60,
			"+ remove      /opt/actions-runner/web-1: removed, and what\n              else there is to tell",
		},
		"narrow phase": {"+ stop        web-1: stopped (1s)", narrowest, "+ stop web-1: stopped (1s)"},
		"command": {
			"runner web-1 is drained; let it go on with: runner-bootstrap drain --resume --name web-1", usual,
			"runner web-1 is drained; let it go on with:\n  runner-bootstrap drain --resume --name web-1",
		},
		"long command": {
			"hint: sudo runner-bootstrap uninstall --name web-1 --token-file FILE", narrowest,
			"hint:\n  sudo runner-bootstrap uninstall \\\n    --name web-1 --token-file FILE",
		},
		"command behind another": {
			"hint: gh auth token --hostname ghe.example.com | runner-bootstrap install --no-service --token-file -", usual,
			"hint:\n  gh auth token --hostname ghe.example.com | runner-bootstrap install \\\n    --no-service --token-file -",
		},
		"quoted command": {
			"hint: runner-bootstrap install --labels 'a  b' --token-file FILE", narrowest,
			"hint:\n  runner-bootstrap install --labels 'a  b' --token-file FILE",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Fitted(c.line, c.columns); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}
