package workspace

import (
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/removal"
)

// lostFound is what an administrator's disk has that is mounted on a folder.
const lostFound = "lost+found"

// logName tells whether GitHub's runner gives a log such a name, and when that log was begun as far as the name says it: its listener,
// and the worker of each job, open the one of the present second, whatever bears that name.
func logName(name string) (begun time.Time, isLog bool) {
	kind, rest, _ := strings.Cut(name, "_")
	stamp, isLog := strings.CutSuffix(rest, ".log")
	if kind != "Runner" && kind != "Worker" || !isLog {
		return time.Time{}, false
	}
	begun, err := time.Parse("20060102-150405-utc", stamp)
	if err != nil {
		return time.Time{}, true // it says nothing
	}
	return begun, true
}

// keepLogs removes all in the folder for logs but the logs: files of the account uid, begun before now, that it reads and writes. What else
// bears the name of one may be there for the next listener, which would wait at a pipe for ever.
func keepLogs(folder *os.Root, uid int, now time.Time) error {
	return removal.Except(folder, func(name string) bool {
		begun, isLog := logName(name)
		if !isLog || begun.After(now) {
			return name == lostFound
		}
		info, err := folder.Lstat(name)
		return err == nil && isOpenable(info) && info.Mode()&(fs.ModeSetuid|fs.ModeSetgid) == 0 && (uid < 0 || ownedBy(info, uid))
	})
}

// isOpenable tells whether the owner of something may open it as a log.
func isOpenable(info fs.FileInfo) bool {
	const both = 0o600
	return info.Mode().IsRegular() && info.Mode()&both == both
}
