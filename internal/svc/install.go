package svc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
)

// onDisk is what there is of a unit before it is changed, so that a failure can put it back.
type onDisk struct {
	present bool
	text    []byte
	mode    fs.FileMode
	links   []string // from the .wants and .requires folders of targets
}

// Install brings the unit to the wanted text and enables it, and reports whether that changed anything. It
// neither starts nor restarts it. After a failure, what there was before is there again.
//
// A unit that is new goes through kardianos/service. That writes the file in place and stops at its first
// failure with an exit status for a reason, so everything after it, and every unit that is there already in
// whatever state, goes through a path that can be repeated: rename, daemon-reload, enable.
func (s *Service) Install(ctx context.Context) (changed bool, err error) {
	if s.text == "" {
		return false, fmt.Errorf("installing unit %q: only its name is known", s.file())
	}
	state, err := s.State(ctx)
	if err != nil {
		return false, err
	}
	before, err := s.look()
	if err != nil {
		return false, err
	}
	if s.matches(before) && state.Installed && state.Enabled && !state.stale {
		return false, nil
	}
	if err := s.converge(ctx, before); err != nil {
		return false, errors.Join(err, s.restore(ctx, before, state.Enabled))
	}
	return true, nil
}

func (s *Service) matches(d onDisk) bool {
	return d.present && string(d.text) == s.text && d.mode.Perm() == unitMode
}

func (s *Service) converge(ctx context.Context, before onDisk) error {
	if !before.present {
		fresh, err := s.host.installer(s.unit, s.text)
		if err != nil {
			return err
		}
		// Its failure is not reported: the steps below are the same ones, and say why they fail.
		if err := fresh.Install(); err == nil && s.settled(ctx) == nil {
			return nil
		}
	}
	if err := s.write([]byte(s.text)); err != nil {
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
	disk, err := s.look()
	if err != nil {
		return err
	}
	state, err := s.State(ctx)
	if err != nil {
		return err
	}
	if s.matches(disk) && state.Installed && state.Enabled && !state.stale {
		return nil
	}
	return &Error{
		Op: "installing", Unit: s.file(), Output: state.Detail,
		Err: errors.New("systemd does not take it as installed and enabled"),
	}
}

// Found is a unit as it was at one moment.
type Found struct {
	State
	disk onDisk
}

// Up tells whether it ran, or was about to.
func (f Found) Up() bool { return f.Active == Running || f.Active == Starting }

// Find looks at the unit as it is, so that Restore can bring it back to that.
func (s *Service) Find(ctx context.Context) (Found, error) {
	state, err := s.State(ctx)
	if err != nil {
		return Found{}, err
	}
	disk, err := s.look()
	return Found{State: state, disk: disk}, err
}

// Restore gives an installed unit the text back that Find has found, and tells whether
// it had another one. It neither starts nor stops it. Nothing to go back to is an error.
func (s *Service) Restore(ctx context.Context, found Found) (changed bool, err error) {
	if !found.disk.present {
		return false, fmt.Errorf("restoring unit %q: there was none", s.file())
	}
	now, err := s.look()
	if err != nil {
		return false, err
	}
	if now.present && string(now.text) == string(found.disk.text) {
		return false, nil
	}
	return true, s.restore(ctx, found.disk, found.Enabled)
}

// restore undoes a failed Install, also when its context has ended.
func (s *Service) restore(ctx context.Context, before onDisk, enabled bool) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), aftermath)
	defer cancel()
	if before.present {
		if err := s.write(before.text); err != nil {
			return err
		}
	} else if err := remove(s.path()); err != nil {
		return err
	}
	if !enabled {
		links, err := s.links()
		if err != nil {
			return err
		}
		for _, link := range links {
			if slices.Contains(before.links, link) {
				continue
			}
			if err := remove(link); err != nil {
				return err
			}
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
	before, err := s.look()
	if masked := (*maskedError)(nil); err != nil && !errors.As(err, &masked) {
		return false, err
	}
	ours := before.present || len(before.links) > 0
	if !ours && (state.Active == Absent || state.Active == Stopped) {
		return false, nil
	}
	if err := s.Stop(ctx); err != nil {
		return false, err
	}
	if before.present {
		installed, err := s.host.installer(s.unit, s.text)
		if err != nil {
			return false, err
		}
		// Its failure is not reported: it refuses halves, and the steps below remove what it left.
		_ = installed.Uninstall()
	}
	return true, s.sweep(ctx, before.present)
}

// sweep removes what is left on disk and in systemd's memory; the unit file only if it is ours.
func (s *Service) sweep(ctx context.Context, file bool) error {
	if file {
		if err := remove(s.path()); err != nil {
			return err
		}
	}
	links, err := s.links()
	if err != nil {
		return err
	}
	for _, link := range links {
		if err := remove(link); err != nil {
			return err
		}
	}
	if _, err := s.systemctl(ctx, "reloading systemd for", "daemon-reload"); err != nil {
		return err
	}
	state, err := s.State(ctx)
	if err != nil {
		return err
	}
	if state.Active == Failed {
		return s.forgive(ctx, state)
	}
	return nil
}
