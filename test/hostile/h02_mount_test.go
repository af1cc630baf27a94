//go:build e2e && linux

package hostile_test

import (
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/stage"
)

// mountsAsJob: a job that may become root mounts somebody's data where the runner's directory is emptied.
func mountsAsJob(s *scene) {
	whole := s.canary("/srv/data")
	s.mayBecomeRoot()
	id := s.install("--ephemeral", "--allow", "sudo")
	output := s.job(`mkdir x ../y && sudo mount --bind /srv/data x && sudo mount --bind /srv/data ../y && cat x/file`)
	if !strings.Contains(output, "precious") {
		s.t.Fatalf("the job could not mount:\n%s", output)
	}
	s.t.Log("waiting for the next life")
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) && (len(s.listed(name)) != 1 || s.listed(name)[0].ID == id) {
		time.Sleep(100 * time.Millisecond)
	}
	whole("after the job")
	s.listens(id)
	s.uninstall()
	whole("after uninstall")
}

// mountsAsAdministrator: what an administrator has mounted in a runner's directory is named and left whole.
func mountsAsAdministrator(s *scene) {
	whole := s.canary("/srv/data")
	for _, m := range []struct {
		name, at string
		options  []string
		mount    []string
	}{
		{"a tool cache, persistent", folder + "/_work/_tool", nil, []string{"mount", "--bind", "/srv/data"}},
		{"a tool cache, ephemeral", folder + "/_work/_tool", []string{"--ephemeral"}, []string{"mount", "--bind", "/srv/data"}},
		{"a folder at the work folder", folder + "/_work", nil, []string{"mount", "--bind", "/srv/data"}},
		{"deep in a workspace", folder + "/_work/hello/hello/deep", nil, []string{"mount", "--bind", "/srv/data"}},
		{"a log folder", folder + "/_diag/pages", nil, []string{"mount", "--bind", "/srv/data"}},
		{"a file", folder + "/_work/file", nil, []string{"mount", "--bind", "/srv/data/file"}},
	} {
		id := s.install(m.options...)
		if strings.HasSuffix(m.mount[2], "/file") {
			s.Must("sh", "-c", "mkdir -p "+folder+"/_work; touch "+m.at)
		} else {
			s.Must("install", "-d", "-o", account, m.at)
		}
		s.Must(append(m.mount, m.at)...)
		if m.options != nil {
			s.job("true")
			s.goesOnOrTells(id, m.at)
			whole("after a job, with " + m.name)
		}
		s.stop()
		r := s.try("uninstall", "--token-file", stage.Token)
		whole("after uninstall, with " + m.name)
		still := s.Run(s.t.Context(), "mountpoint", "--quiet", m.at).Code == 0
		switch {
		case r.Code == 3 && strings.Contains(r.Stdout+r.Stderr, m.at) && still:
		case r.Code == 0 && m.options != nil && !s.Exists(m.at): // it was out of the way before
		default:
			s.t.Errorf("uninstall, with %s (still mounted: %v): %s", m.name, still, r)
		}
		s.Run(s.t.Context(), "sh", "-c", "awk '$5 ~ \"^/opt/actions-runner/\" { print $5 }' /proc/1/mountinfo | sort -r | while read -r m; do umount \"$m\"; done")
		s.uninstall()
		whole("after uninstall without the mount, which was " + m.name)
	}
}

// goesOnOrTells: an ephemeral runner comes back after its job, or its log names what is in the way.
func (s *scene) goesOnOrTells(id int64, what string) {
	s.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		all := s.listed(name)
		if len(all) == 1 && all[0].ID != id && all[0].Status == "online" || strings.Contains(s.Must("journalctl", "--boot", "--no-pager", "--unit", s.unit()), what) {
			return
		}
	}
	s.t.Errorf("it does not come back, and nothing names %s:\n%s", what, tail(s.Journal(), 30))
}
