package systemd

import (
	"context"
	"errors"
	"fmt"

	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

// Install brings the unit to the wanted text and enables it. It neither starts nor restarts it. After a failure,
// what there was before is there again.
//
// A unit that is new goes through kardianos/service. That writes the file in place and stops at its first
// failure with an exit status for a reason, so everything after it, and every unit that is there already in
// whatever state, goes through a path that can be repeated: rename, daemon-reload, enable.
func (s *Service) Install(ctx context.Context) (svc.Change, error) {
	if s.text == "" {
		return svc.Change{}, fmt.Errorf("installing unit %q: only its name is known", s.file())
	}
	state, err := s.look(ctx)
	if err != nil {
		return svc.Change{}, err
	}
	before, err := s.disk().look()
	if err != nil {
		return svc.Change{}, err
	}
	if before.holds(s.text) && state.Installed && state.Enabled && !state.stale {
		return svc.Change{}, nil
	}
	if err := s.converge(ctx, before); err != nil {
		return svc.Change{}, errors.Join(err, s.restore(ctx, before, state.Enabled))
	}
	change := svc.Change{Made: true}
	if before.present && string(before.text) != s.text {
		change.Undo = func(ctx context.Context) error { return s.restore(ctx, before, state.Enabled) }
	}
	return change, nil
}

func (s *Service) converge(ctx context.Context, before onDisk) error {
	if before.present {
		return s.rewrite(ctx)
	}
	fresh, err := s.host.installer(s.unit, s.text)
	if err != nil {
		return err
	}
	if err = fresh.Install(); err == nil {
		err = s.settled(ctx)
	}
	if err == nil {
		return nil
	}
	// The steps of rewrite are the same ones, and mend what it has left half done. They say why they fail; the
	// library's error is beside theirs then, and of no interest where they succeed.
	if failed := s.rewrite(ctx); failed != nil {
		return errors.Join(failed, fmt.Errorf("the service library before that: %w", err))
	}
	return nil
}

// rewrite installs the unit in steps that may be repeated, whatever there was before.
func (s *Service) rewrite(ctx context.Context) error {
	if err := s.disk().write([]byte(s.text)); err != nil {
		return err
	}
	if _, err := s.systemctl(ctx, "reloading systemd for", "daemon-reload"); err != nil {
		return err
	}
	// Force: a link of that name may point at a unit file that is no longer there.
	if _, err := s.systemctl(ctx, "enabling", "enable", "--force", "--", s.file()); err != nil {
		return err
	}
	return s.settled(ctx)
}

// settled compares disk and systemd with what is wanted, after the change.
func (s *Service) settled(ctx context.Context) error {
	disk, err := s.disk().look()
	if err != nil {
		return err
	}
	state, err := s.look(ctx)
	if err != nil {
		return err
	}
	if disk.holds(s.text) && state.Installed && state.Enabled && !state.stale {
		return nil
	}
	return &svc.Error{
		Op: "installing", Unit: s.file(), Output: state.Detail,
		Err: errors.New("systemd does not take it as installed and enabled"),
	}
}

// restore undoes an Install, also when its context has ended.
func (s *Service) restore(ctx context.Context, before onDisk, enabled bool) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), aftermath)
	defer cancel()
	if before.present {
		if err := s.disk().write(before.text); err != nil {
			return err
		}
	} else if err := remove(s.disk().path()); err != nil {
		return err
	}
	if !enabled {
		if err := s.disk().unlink(before.links); err != nil {
			return err
		}
	}
	_, err := s.systemctl(ctx, "reloading systemd for", "daemon-reload")
	return err
}

// Uninstall stops the unit, disables and removes it, and reports whether there was anything to remove. It
// takes away every half of an installation: a file without links, links without a file, a file without
// content, a unit that is gone from disk and still runs or is remembered as failed. What an administrator put
// beside it (drop-ins, a mask) stays.
func (s *Service) Uninstall(ctx context.Context) (changed bool, err error) {
	state, err := s.State(ctx)
	if err != nil {
		return false, err
	}
	before, err := s.disk().look()
	if masked := (*maskedError)(nil); err != nil && !errors.As(err, &masked) {
		return false, err
	}
	ours := before.present || len(before.links) > 0
	if !ours && (state.Active == svc.Absent || state.Active == svc.Stopped) {
		return false, nil
	}
	if err := s.Stop(ctx, svc.Gently); err != nil {
		return false, err
	}
	var asked error
	if before.present {
		installed, err := s.host.installer(s.unit, s.text)
		if err != nil {
			return false, err
		}
		// It knows what an installation makes beyond its unit and links, but refuses halves, which sweep takes away
		// all the same: so its error counts only where sweep fails as well.
		if asked = installed.Uninstall(); asked != nil {
			asked = fmt.Errorf("the service library before that: %w", asked)
		}
	}
	if err := s.sweep(ctx, before.present); err != nil {
		return true, errors.Join(err, asked)
	}
	return true, nil
}

// sweep removes what is left on disk and in systemd's memory; the unit file only if it is ours.
func (s *Service) sweep(ctx context.Context, file bool) error {
	if file {
		if err := remove(s.disk().path()); err != nil {
			return err
		}
	}
	if err := s.disk().unlink(nil); err != nil {
		return err
	}
	if _, err := s.systemctl(ctx, "reloading systemd for", "daemon-reload"); err != nil {
		return err
	}
	state, err := s.State(ctx)
	if err != nil {
		return err
	}
	if state.Active == svc.Failed {
		return s.forgive(ctx, state)
	}
	return nil
}
