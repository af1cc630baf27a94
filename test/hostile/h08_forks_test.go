//go:build e2e && linux

package hostile_test

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// forks is three processes of which each is followed by a child of its own, as fast as they can, for a few seconds.
const forks = `grep 'Max processes' /proc/self/limits
perl -e 'my $end = time + 6;
	for (1 .. 3) { next if fork; while (time < $end) { my $next = fork; if (!defined $next) { select undef, undef, undef, 0.01 } elsif ($next) { exit } } exit }
	sleep 7; print "all forked\n"'
`

// countProcesses counts those that have ended and are still there, and all.
func (s *scene) countProcesses() (dead, all int) {
	s.t.Helper()
	counted := strings.Fields(s.Must("sh", "-c", `cat /proc/[0-9]*/stat 2>/dev/null | awk '/\) Z / { dead++ } END { print dead + 0, NR }'`))
	dead, err := strconv.Atoi(counted[0])
	all, otherErr := strconv.Atoi(counted[1])
	if err != nil || otherErr != nil {
		s.t.Fatalf("counting processes: %q", counted)
	}
	return dead, all
}

// buries: processes that fork and exit leave no heap of dead ones, and the number of those that a life may have is bounded.
func buries(s *scene) {
	id := s.install("--ephemeral")
	supervisor := s.property("MainPID")
	end := s.begin(name, forks)
	tasks := s.Run(s.t.Context(), "systemctl", "show", "--property=TasksMax", "--value", "listener."+s.unit()).Stdout
	most, all := 0, 0
	for until := time.Now().Add(5 * time.Second); time.Now().Before(until); time.Sleep(100 * time.Millisecond) {
		dead, n := s.countProcesses()
		most, all = max(most, dead), max(all, n)
	}
	output := end()
	s.eventually("the dead are not buried", func() error {
		if dead, _ := s.countProcesses(); dead > 50 {
			return fmt.Errorf("%d processes have ended and are there", dead)
		}
		return nil
	})
	if !strings.Contains(output, "all forked") {
		s.t.Errorf("the job could not fork:\n%s", output)
	}
	s.t.Logf("there were at most %d processes, %d of them dead", all, most)
	// Of a service's the first process of the host is the heir, which on a busy one takes its time; else we are.
	if limit := map[bool]int{false: 8000, true: 1000}[s.byHand]; most > limit {
		s.t.Errorf("%d processes had ended and were not buried", most)
	}
	bound := strings.Fields(tasks + " none")[0]
	if fields := strings.Fields(output); len(fields) > 2 {
		bound += " " + fields[2]
	}
	bounded := false
	for field := range strings.FieldsSeq(bound) {
		n, err := strconv.Atoi(field)
		bounded = bounded || err == nil && n <= 16384
	}
	if !bounded {
		s.t.Errorf("nothing bounds a life's processes: %q", bound)
	}
	s.listens(id)
	if now := s.property("MainPID"); now != supervisor {
		s.t.Errorf("the supervisor was process %s, and is %s", supervisor, now)
	}
	s.uninstall()
}
