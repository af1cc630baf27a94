package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ownGroup makes a command the head of a process group that ends as a whole when
// the command's context does. A terminal's interrupt reaches this program alone,
// which then ends everything in order.
func ownGroup(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
}

var errMeasuring = errors.New("measuring has failed")

// asBooted runs this program again among mounts of its own.
func asBooted(ctx context.Context, args []string) error {
	c := exec.CommandContext(ctx, "/proc/self/exe", append([]string{booted}, args...)...) //nolint:gosec // it is this program
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGTERM}
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) } // it has mounts and processes to end
	runtime.LockOSThread()                                               // whose end the signal would come at
	defer runtime.UnlockOSThread()
	err := c.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return errMeasuring // which has told why
	}
	return err
}

// shareMounts has all that is mounted from here on seen by all that have copies of these mounts.
func shareMounts() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		return fmt.Errorf("sharing mounts: %w", err)
	}
	return nil
}

// endWithParent asks a command, which has ownGroup, to end when the thread ends
// that starts it: a thread that lives on lets it do so.
func endWithParent(c *exec.Cmd) { c.SysProcAttr.Pdeathsig = syscall.SIGTERM }

// runAs makes a command, which has ownGroup, run as another account.
func runAs(c *exec.Cmd, uid, gid uint32) {
	c.SysProcAttr.Credential = &syscall.Credential{Uid: uid, Gid: gid}
}

// endOwnGroup kills this process and all that it started.
func endOwnGroup() { _ = unix.Kill(0, unix.SIGKILL) }

// reportFile is descriptor 3, which what this process starts does not inherit: it
// would keep open what somebody reads to its end.
func reportFile() *os.File {
	unix.CloseOnExec(3)
	return os.NewFile(3, "report")
}

// peakRSS is in bytes, of the largest of a process and those that it waited for.
func peakRSS(state *os.ProcessState) int64 {
	if r, ok := state.SysUsage().(*syscall.Rusage); ok {
		return int64(r.Maxrss) << 10 //nolint:unconvert // 32 bits wide on 32-bit systems
	}
	return 0
}

// lockFile makes this program the only one with path until the result is closed.
func lockFile(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking %q: %w", path, err)
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil { //nolint:gosec // a descriptor fits
		return nil, errors.Join(fmt.Errorf("locking %q, does another benchmark run?: %w", path, err), file.Close())
	}
	return file, nil
}

// syncFileSystem waits until what was written to path's file system is on the disk.
func syncFileSystem(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("flushing %q: %w", path, err)
	}
	defer dir.Close()
	if err := unix.Syncfs(int(dir.Fd())); err != nil { //nolint:gosec // a descriptor fits
		return fmt.Errorf("flushing %q: %w", path, err)
	}
	return nil
}

const (
	volumeSize   = "12G" // sparse; eight runners and their cache
	volumeInodes = "300000"
)

// mountVolume puts an empty file system at dir: in a sparse file beside it, but for
// tmpfs. After a failure nothing is mounted.
func mountVolume(ctx context.Context, dir, image string, system filesystem) error {
	if system == tmpfs {
		return tool(ctx, "mount", "-t", "tmpfs", "-o", "mode=0755,size="+volumeSize, "bench", dir)
	}
	if err := tool(ctx, "truncate", "-s", volumeSize, image); err != nil {
		return err
	}
	// Not lazy: a kernel thread that fills inode tables would run in the time
	// that is measured.
	format := []string{"mkfs.ext4", "-q", "-F", "-m", "0", "-N", volumeInodes, "-E", "lazy_itable_init=0,lazy_journal_init=0", image}
	if system == xfs {
		format = []string{"mkfs.xfs", "-q", "-f", "-m", "reflink=1", image}
	}
	if err := tool(ctx, format[0], format[1:]...); err != nil {
		return err
	}
	if err := mountImage(ctx, dir, image); err != nil {
		return err
	}
	return os.RemoveAll(filepath.Join(dir, "lost+found"))
}

// mountImage passes the page cache by for the image: otherwise every byte is
// held twice, and what needs much memory pays for the benchmark's file system
// what it would not pay for a disk.
func mountImage(ctx context.Context, dir, image string) error {
	var device strings.Builder
	complaint := &tail{}
	c := exec.CommandContext(ctx, "losetup", "--find", "--show", "--direct-io=on", image)
	c.Stdout, c.Stderr = &device, complaint
	ownGroup(c)
	if err := c.Run(); err != nil {
		return errors.Join(fmt.Errorf("making a loop device: %w: %s", err, complaint), releaseImage(image))
	}
	name := strings.TrimSpace(device.String())
	err := tool(ctx, "mount", name, dir)
	// Once it is mounted this means: detach with the unmount, no matter who does that.
	detached := tool(context.WithoutCancel(ctx), "losetup", "-d", name)
	if err == nil && detached != nil {
		detached = errors.Join(detached, unmountVolume(dir))
	}
	return errors.Join(err, detached)
}

// releaseImage takes loop devices off an image that is not mounted: an interrupt
// may come between making one and hearing of it.
func releaseImage(image string) error {
	if _, err := os.Stat(image); err != nil {
		return nil //nolint:nilerr // what is not there has no device
	}
	ctx := context.Background() // it cleans up, so it is not interrupted itself
	devices, err := exec.CommandContext(ctx, "losetup", "--associated", image, "--noheadings", "--output", "NAME").Output()
	if err != nil {
		return fmt.Errorf("looking for loop devices: %w", err)
	}
	for name := range strings.FieldsSeq(string(devices)) {
		err = errors.Join(err, tool(ctx, "losetup", "-d", name))
	}
	return err
}

// unmountVolume undoes mountVolume. A process that was just killed may hold the
// file system for a moment.
func unmountVolume(dir string) error {
	const tries = 50
	for try := range tries {
		err := unix.Unmount(dir, 0)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, unix.EBUSY) || try == tries-1:
			// Out of sight at least, and gone with its last user.
			return errors.Join(fmt.Errorf("unmounting %q: %w", dir, err), unix.Unmount(dir, unix.MNT_DETACH))
		}
		time.Sleep(100 * time.Millisecond)
	}
	return nil
}

// mountsBelow lists what is mounted at or below dir, innermost first.
func mountsBelow(dir string) ([]string, error) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("reading the mounts: %w", err)
	}
	octal := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	var found []string
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 5 {
			continue
		}
		point := octal.Replace(fields[4])
		if point == dir || strings.HasPrefix(point, dir+"/") {
			found = append([]string{point}, found...)
		}
	}
	return found, nil
}

// describeHost says what the numbers were measured on.
func describeHost() host {
	h := host{Kernel: "unknown", CPU: "unknown"}
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		h.Kernel = "Linux " + unix.ByteSliceToString(name.Release[:])
	}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
				h.CPU = strings.TrimSpace(value)
				break
			}
		}
	}
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) == nil {
		h.Memory = int64(info.Totalram) * int64(info.Unit) //nolint:gosec,unconvert // fits; the types differ by platform
	}
	return h
}

// loadAverage is that of the last minute; what is measured is in it.
func loadAverage() float64 {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(text), " ")
	load, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return 0
	}
	return load
}

// stolenTime is what the host of a virtual machine has given to others while this one
// wanted to run, of all processors together; zero where it is not told.
func stolenTime() time.Duration { return processorTime(8) }

// unusedTime is what all processors together have not worked, waiting for a disk included.
func unusedTime() time.Duration { return processorTime(4) + processorTime(5) }

// processorTime is one of the figures that proc_stat(5) has of all processors, by its place; zero where it is not told.
func processorTime(place int) time.Duration {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	const tick = 10 * time.Millisecond // USER_HZ
	fields := strings.Fields(strings.SplitN(string(text), "\n", 2)[0])
	if len(fields) <= place || fields[0] != "cpu" {
		return 0
	}
	ticks, err := strconv.ParseInt(fields[place], 10, 64)
	if err != nil {
		return 0
	}
	return time.Duration(ticks) * tick
}

// monotonic is the clock that all processes of a host share.
func monotonic() time.Duration {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) // it fails for unknown clocks only
	return time.Duration(now.Nano())
}

// makePipe makes a pipe with a name, which every account may write to.
func makePipe(path string) error {
	return errors.Join(unix.Mkfifo(path, 0o600), os.Chmod(path, 0o622)) //nolint:gosec // as it says
}
