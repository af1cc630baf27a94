package bootstrap

import (
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/refusal"
	"github.com/runner-bootstrap/runner-bootstrap/internal/sealcheck"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

// sealer proves that of one host.
type sealer struct {
	store   *instance.Store
	paths   instance.Paths
	private bool // its paths need no privileges
	log     *slog.Logger
}

// seal looks for what every machine made of this host's disk would share: a runner, a secret. It removes what we have no use
// for any more, and refuses the host if anything else is found.
func (s sealer) seal() (string, error) {
	records, err := s.store.List()
	if err != nil {
		return "", err
	}
	if len(records) > 0 {
		names := make([]string, 0, len(records))
		for _, record := range records {
			names = append(names, record.Name)
		}
		return "", &refusal.Error{
			Object: "sealing this host", Reason: ErrNotClean, Name: records[0].Name,
			Detail: "it has " + strings.Join(names, ", ") + ", and each copy would be the same runner",
		}
	}
	places := s.imagePlaces()
	found, err := sealcheck.Look(places)
	if err != nil {
		return "", err
	}
	if len(found) > 0 {
		texts := make([]string, 0, len(found))
		for _, f := range found {
			texts = append(texts, f.Path+" ("+f.What+")")
		}
		return "", &refusal.Error{Object: "sealing this host", Reason: ErrNotClean, Detail: strings.Join(texts, ", ")}
	}
	s.warnOfIdentity()
	return fmt.Sprintf("no runner, no service of one, and no secret in %s", strings.Join(places.Secrets, ", ")), nil
}

// imagePlaces are where secrets of ours, or those that set up this host, are found
// in the field: our own folders, what cloud-init keeps of user data, its log, and
// what shells remember.
func (s sealer) imagePlaces() sealcheck.Places {
	places := sealcheck.Places{Runners: s.paths.Runners, Skip: []string{s.paths.Cache, s.paths.Runners}}
	if s.private {
		places.Secrets = []string{filepath.Dir(s.paths.Config)}
		return places
	}
	places.Units = svc.Folder()
	places.Secrets = []string{
		filepath.Dir(s.paths.Config), s.paths.State, "/etc/environment", "/etc/profile.d",
		"/var/lib/cloud", "/var/log/cloud-init.log", "/var/log/cloud-init-output.log",
		"/root/.bash_history", "/root/.netrc", "/root/.git-credentials", "/root/.config/gh",
	}
	homes, err := filepath.Glob("/home/*")
	if err != nil {
		return places // not with this pattern
	}
	for _, home := range homes {
		for _, name := range []string{".bash_history", ".netrc", ".git-credentials", ".config/gh"} {
			places.Secrets = append(places.Secrets, filepath.Join(home, name))
		}
	}
	return places
}

// warnOfIdentity tells of what is the system's and not ours, and yet would be the
// same in every copy.
func (s sealer) warnOfIdentity() {
	if s.private {
		return
	}
	// An image has none, or the word "uninitialized" (machine-id(5)).
	if id, err := os.ReadFile("/etc/machine-id"); err == nil && len(strings.TrimSpace(string(id))) == hex.EncodedLen(16) {
		s.log.Warn("this host has a machine id; if your image builder does not empty it, every copy has it",
			"hint", "truncate -s 0 /etc/machine-id")
	}
	if _, err := os.Lstat("/var/lib/cloud/instance"); err == nil {
		s.log.Warn("cloud-init remembers this host; if your image builder does not clean it, copies keep what it knows",
			"hint", "cloud-init clean --logs")
	}
}
