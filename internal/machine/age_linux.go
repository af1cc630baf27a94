package machine

import (
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// tick is the unit in which Linux counts a process's start: the same on every architecture.
const tick = 10 * time.Millisecond

// Age is for how long this system has been up, by its first process; known is false where nobody can say, and in a container that
// holds one program, which is no machine that boots.
func Age() (age time.Duration, known bool) {
	if oneProgram() {
		return 0, false
	}
	return ageOf(read("/proc/1/stat"))
}

// ageOf reads proc_pid_stat(5): the start is the 22nd field, and the 20th after the name, which may hold anything.
func ageOf(stat string) (time.Duration, bool) {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 20 {
		return 0, false
	}
	began, err := strconv.ParseInt(fields[19], 10, 64)
	var now unix.Timespec
	if err != nil || unix.ClockGettime(unix.CLOCK_BOOTTIME, &now) != nil {
		return 0, false
	}
	age := time.Duration(now.Nano()) - time.Duration(began)*tick
	return age, age >= 0
}
