package sealcheck

import (
	"bytes"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/openfile"
	"github.com/runner-bootstrap/runner-bootstrap/internal/pattern"
)

var (
	// starter is what starts a runner: our program, GitHub's own scripts, or its listener.
	starter = pattern.New(`(runner-bootstrap"?'? .*\brun\b|/runsvc\.sh|/Runner\.Listener\b|(actions-runner|/runner)[^ ]*/run\.sh\b)`)
	// assignment is one of an environment, as shells, units and files of an environment have it.
	assignment = pattern.New(`(?:^|[\s"';&|])([A-Za-z_][A-Za-z0-9_]*)=("[^"\n]*"|'[^'\n]*'|[^\s"';&|]+)`)
	secretName = pattern.New(`(?i)(?:^|_)(?:TOKEN|PAT|SECRET|PASSWORD|PASSWD|` +
		`PASSPHRASE|APIKEY|API_KEY|ACCESS_KEY|SECRET_KEY|PRIVATE_KEY|CREDENTIALS?|PSK|AUTH)$`)
	history = pattern.New(`^\.?(bash|zsh|ksh|mksh|ash|sh|fish|python|node_repl|psql|mysql|mariadb|sqlite|rediscli|` +
		`irb|php|lua|r|dbshell|mongo|mongosh|t?csh|xonsh|octave|gdb|scala|repl|ConsoleHost|duckdb|ghci|utop)?_?` +
		`(history|hist)(-[0-9]+|\.txt|\.sqlite|\.db|\.jl|\.json)?$|^\.(lesshst|viminfo|histfile|dbshell)$|^main\.shada$`)
)

const startsRunner = "would start a runner in every copy"

// units looks at what starts services: units and their drop-ins in every folder of units, scripts of other service managers,
// and what cron runs.
func (f *file) units(text []byte) {
	folder, base := path.Dir(f.name), path.Base(f.name)
	inSystemd := strings.Contains("/"+folder+"/", "/systemd/")
	dropIn := strings.HasSuffix(base, ".conf") && strings.HasSuffix(folder, ".d")
	switch {
	case inSystemd && (strings.HasSuffix(base, ".service") || dropIn):
		for n, line := range logicalLines(text) {
			f.unitLine(n, line)
		}
	case strings.HasPrefix(f.name, "etc/init.d/"), strings.HasPrefix(f.name, "etc/cron"), strings.HasPrefix(f.name, "var/spool/cron/"),
		f.name == "etc/rc.local", f.name == "etc/inittab", f.name == "etc/crontab", strings.HasPrefix(f.name, "etc/sv/"),
		strings.HasPrefix(f.name, "etc/runit/"), strings.HasPrefix(f.name, "etc/local.d/"), strings.HasPrefix(f.name, "etc/supervisor/"),
		strings.Contains(f.name, "/LaunchDaemons/"), strings.HasPrefix(f.name, "var/lib/cloud/scripts/"):
		for n, line := range bytes.Split(text, []byte{'\n'}) {
			if starter.Match(line) && !bytes.HasPrefix(bytes.TrimSpace(line), []byte("#")) {
				f.tell(Runner, n+1, startsRunner)
			}
		}
	}
}

func (f *file) unitLine(n int, line []byte) {
	key, value, found := bytes.Cut(line, []byte{'='})
	if !found {
		return
	}
	switch name := string(bytes.TrimSpace(key)); {
	case strings.HasPrefix(name, "Exec") && starter.Match(value):
		f.tell(Runner, n, "a service that "+startsRunner)
	case strings.HasPrefix(name, "Exec") && secretArgument(value):
		f.tell(Secret, n, namedArgument)
	case name == "Environment", name == "SetCredential":
		if secretAssigned(bytes.ReplaceAll(value, []byte(":"), []byte("="))) || secretAssigned(value) {
			f.tell(Secret, n, "a variable of a service, whose name says that it is a secret")
		}
	case name == "EnvironmentFile":
		f.look.environmentFile(strings.TrimPrefix(string(bytes.TrimSpace(value)), "-"))
	}
}

// logicalLines are those of a unit, each with the number of its first: a line may go on in the next one (systemd.syntax(7)).
func logicalLines(text []byte) map[int][]byte {
	all := map[int][]byte{}
	first := 0
	var line []byte
	for n, part := range bytes.Split(text, []byte{'\n'}) {
		trimmed := bytes.TrimSpace(part)
		if bytes.HasPrefix(trimmed, []byte("#")) || bytes.HasPrefix(trimmed, []byte(";")) {
			continue
		}
		if line == nil {
			first = n + 1
		}
		rest, goesOn := bytes.CutSuffix(trimmed, []byte(`\`))
		line = append(append(line, rest...), ' ')
		if goesOn {
			continue
		}
		all[first], line = line, nil
	}
	if line != nil {
		all[first] = line
	}
	return all
}

// secretAssigned tells whether a variable is set whose name says that it is a secret, to something that could be one.
func secretAssigned(line []byte) bool {
	for _, groups := range assignment.FindAllSubmatch(line, -1) {
		value := bytes.Trim(groups[2], `"'`)
		const shortest = 6
		if !secretName.Match(groups[1]) || len(value) < shortest || bytes.ContainsAny(value[:1], "/~$%<{(*`-") {
			continue
		}
		if !bytes.ContainsAny(value, " \t") && !bytes.Contains(value, []byte("://")) && varied(0)([][]byte{value}) {
			return true
		}
	}
	return false
}

// environment looks at what sets variables: of all, of a service, of a shell, and at what shells remember.
func (f *file) environment(text []byte) {
	base := path.Base(f.name)
	switch {
	case f.name == "etc/environment", strings.HasPrefix(f.name, "etc/environment.d/"), strings.HasPrefix(f.name, "etc/default/"),
		strings.HasPrefix(f.name, "etc/sysconfig/"), strings.HasPrefix(f.name, "etc/profile"), strings.HasPrefix(f.name, "etc/conf.d/"),
		strings.HasSuffix(base, ".sh"), base == ".Renviron",
		strings.HasSuffix(base, ".env"), strings.HasPrefix(base, ".env"), strings.Contains(f.name, ".config/environment.d/"),
		strings.HasPrefix(f.name, "var/spool/at"), base == "config.v2.json", // a job of at; a container of Docker
		base == ".pam_environment", base == "fish_variables", rcFile.MatchString(base), history.MatchString(base):
		if n := lineOfSecret(text); n > 0 {
			f.tell(Secret, n, namedSecret)
		}
	}
}

const namedSecret = "a variable whose name says that it is a secret"

// lineOfSecret is the first line that sets such a variable, from 1; 0 if there is none.
func lineOfSecret(text []byte) int {
	for n, line := range bytes.Split(text, []byte{'\n'}) {
		if !bytes.HasPrefix(bytes.TrimSpace(line), []byte("#")) && secretAssigned(line) {
			return n + 1
		}
	}
	return 0
}

// environmentFile notes that a unit takes its environment from a file, which may have any name.
func (l *look) environmentFile(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.environments = append(l.environments, name)
}

// readEnvironments looks at those files, wherever a link in the system leads.
func (l *look) readEnvironments() {
	root, err := os.OpenRoot(l.host.System)
	if err != nil {
		return // without a system there are no units
	}
	defer root.Close()
	for _, name := range l.environments {
		const most = 1 << 20
		text, err := openfile.ReadIn(root, strings.TrimLeft(name, "/"), most)
		if err != nil {
			continue // not there; what cannot be read was told
		}
		if n := lineOfSecret(text); n > 0 {
			l.found(Finding{Path: filepath.Join(l.host.System, name), Line: n, Kind: Secret, What: namedSecret})
		}
	}
}

var rcFile = pattern.New(`^\.?(bashrc|bash_profile|bash_login|profile|zshrc|` +
	`zshenv|zprofile|kshrc|config\.fish|bash\.bashrc|xsessionrc)$`)

var logins = pattern.New(`^var/(log/([wb]tmp|lastlog)|lib/wtmpdb/wtmp\.db|lib/lastlog/lastlog2\.db)`)

// traces are what this host remembers of its making.
func (f *file) traces(text []byte) {
	base := path.Base(f.name)
	switch {
	case history.MatchString(base):
		f.tell(Trace, 0, "what somebody has typed")
	case strings.HasPrefix(f.name, "var/log/journal/") && strings.HasPrefix(string(text[:min(len(text), 8)]), "LPKSHHRH"):
		f.tell(Trace, 0, "the journal of this host")
	case logins.MatchString(f.name) && !unused(text):
		f.tell(Trace, 0, "who was logged in to this host, and from where")
	case strings.HasPrefix(f.name, "var/lib/cloud/instances/") && base == "obj.pkl", f.name == "var/log/cloud-init.log":
		f.tell(Trace, 0, "what cloud-init remembers of this host")
	}
}
