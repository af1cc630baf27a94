package systemd

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// EndUserManager ends what systemd runs for an account while nobody is logged in as it: lingering is turned off, and
// the account's user manager is stopped with all its services. A job can have asked for both, and what runs there
// outlives it, outside of every sandbox. It returns what it has done, for people; empty where there was nothing.
// An account that somebody is logged in as keeps its user manager. Where logind does not run, or does not know the
// account, there is nothing to end. It may be repeated.
func EndUserManager(ctx context.Context, account string, uid int) (done string, err error) {
	return systemdHost().endUserManager(ctx, account, uid)
}

func (h host) endUserManager(ctx context.Context, account string, uid int) (string, error) {
	if err := h.available(); err != nil {
		return "", nil //nolint:nilerr // another service manager has no such thing
	}
	number := strconv.Itoa(uid)
	known, _, err := h.run(ctx, "loginctl", "--no-pager", "show-user", "--property=Linger", "--property=Sessions", "--", number)
	if err != nil {
		// It says the same whether it does not run or does not know the account.
		return "", context.Cause(ctx)
	}
	lingers, loggedIn := false, false
	for line := range strings.Lines(known) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		lingers = lingers || name == "Linger" && value == "yes"
		loggedIn = loggedIn || name == "Sessions" && value != ""
	}
	var done []string
	if lingers {
		if err := h.must(ctx, "loginctl", "--no-ask-password", "disable-linger", "--", number); err != nil {
			return "", fmt.Errorf("turning lingering of account %q off: %w", account, err)
		}
		done = append(done, "turned its lingering off")
	}
	if !loggedIn {
		if err := h.must(ctx, "systemctl", "--no-ask-password", "--no-pager", "stop", "--", "user@"+number+".service"); err != nil {
			return strings.Join(done, ", "), fmt.Errorf("stopping the user manager of account %q: %w", account, err)
		}
		done = append(done, "stopped its user manager")
	}
	return strings.Join(done, ", "), nil
}

// must runs one of systemd's programs, whose words are the error where it fails.
func (h host) must(ctx context.Context, program string, args ...string) error {
	_, stderr, err := h.run(ctx, program, args...)
	if err != nil && stderr != "" {
		return fmt.Errorf("%w: %s", err, stderr)
	}
	return err
}
