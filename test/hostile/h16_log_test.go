//go:build e2e && linux

package hostile_test

import (
	"time"
)

// floodsLog: files without number in the folder for logs do not fill the memory of the supervisor.
func floodsLog(s *scene) {
	s.install()
	s.job(`cd ` + folder + `/_diag && perl -e 'for (1 .. 200_000) { open my $f, ">", "Worker_2026$_-utc.log" or die $! } print "all made\n"'`)
	s.Must("systemctl", "restart", s.unit())
	s.eventually("it listens", func() error {
		if all := s.listed(name); len(all) != 1 || all[0].Status != "online" {
			return errLeft
		}
		return nil
	})
	time.Sleep(5 * time.Second) // it tidies as soon as it is idle
	peak := s.Must("sh", "-c", "awk '/^VmHWM/ { print int($2 / 1024) }' /proc/"+s.property("MainPID")+"/status")
	s.t.Logf("the supervisor had %s MiB", peak)
	if len(peak) > 2 || peak > "48" {
		s.t.Errorf("the supervisor had %s MiB of memory", peak)
	}
	s.uninstall()
}
