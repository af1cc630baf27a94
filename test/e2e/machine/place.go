//go:build e2e && linux

package machine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// place is a thread of this process that has a network and a table of mounts of its own. What has to happen
// there is handed to it. The kernel takes both away when the thread and the processes that it started are gone.
type place struct {
	work   chan func()
	mounts []string // what was mounted there, in order; touched by the thread alone
}

// newPlace makes a place whose network has the loopback interface alone.
func newPlace() (*place, error) {
	p := &place{work: make(chan func())}
	ready := make(chan error)
	go func() {
		// Never unlocked: the thread is not fit for anything else any more, and ends with this goroutine.
		runtime.LockOSThread()
		ready <- p.isolate()
		for f := range p.work {
			f()
		}
	}()
	if err := <-ready; err != nil {
		close(p.work)
		return nil, err
	}
	return p, nil
}

// do runs f in the place and returns its error. f may open files, sockets and processes, which belong to the
// place from then on, but starts no goroutine.
func (p *place) do(f func() error) error {
	done := make(chan error)
	p.work <- func() { done <- f() }
	return <-done
}

// leave undoes the mounts that are left and ends the thread.
func (p *place) leave() error {
	err := p.unmount("/")
	close(p.work)
	return err
}

// unmount undoes the mounts below a folder.
func (p *place) unmount(below string) error {
	return p.do(func() error {
		var failed error
		for _, folder := range slices.Backward(p.mounts) {
			if !strings.HasPrefix(folder, below) {
				continue
			}
			// Detached as a whole: also what a killed systemd-nspawn left mounted below.
			if err := unix.Unmount(folder, unix.MNT_DETACH); err != nil {
				failed = errors.Join(failed, fmt.Errorf("unmounting %q: %w", folder, err))
			}
		}
		p.mounts = slices.DeleteFunc(p.mounts, func(folder string) bool { return strings.HasPrefix(folder, below) })
		return failed
	})
}

// mount is mount(2), and to be called in the place.
func (p *place) mount(kind, folder, options string) error {
	if err := unix.Mount(kind, folder, kind, 0, options); err != nil {
		return fmt.Errorf("mounting %s on %q: %w", kind, folder, err)
	}
	p.mounts = append(p.mounts, folder)
	return nil
}

func (p *place) isolate() error {
	if err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("leaving the host's mounts and network: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making the mounts private: %w", err)
	}
	// systemd-nspawn keeps locks and folders in /run/systemd; the host shall not see them.
	if err := p.mount("tmpfs", "/run", "mode=755"); err != nil {
		return err
	}
	return loopbackUp()
}

// loopbackUp does what "ip link set lo up" does; the kernel gives lo its address.
func loopbackUp() (err error) {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("opening a socket: %w", err)
	}
	defer func() { err = errors.Join(err, unix.Close(socket)) }()
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return fmt.Errorf("naming lo: %w", err)
	}
	request.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, request); err != nil {
		return fmt.Errorf("switching lo on: %w", err)
	}
	return nil
}

// furnish lays the overlay on the layers, and adds what the machine needs to know about itself. It runs in the place.
func (m *guest) furnish(work string, layers []string, o Options) error {
	memory := filepath.Join(work, "memory")
	for _, folder := range []string{memory, m.tree} {
		if err := os.Mkdir(folder, 0o755); err != nil {
			return err
		}
	}
	if o.Disk == "" {
		if err := m.place.mount("tmpfs", memory, "size=2g,mode=755"); err != nil {
			return err
		}
	}
	upper, scratch := filepath.Join(memory, "upper"), filepath.Join(memory, "scratch")
	for _, folder := range []string{upper, scratch} {
		if err := os.Mkdir(folder, 0o755); err != nil {
			return err
		}
	}
	m.layers = append([]string{upper}, layers...)
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", strings.Join(layers, ":"), upper, scratch)
	if err := m.place.mount("overlay", m.tree, options); err != nil {
		return err
	}
	root, err := os.OpenRoot(m.tree)
	if err != nil {
		return err
	}
	defer root.Close() //nolint:errcheck // a folder opened for reading has nothing to lose
	// With an identity of its own the machine does not believe that this is its first boot ever.
	identity := fmt.Sprintf("%032x\n", time.Now().UnixNano())
	for name, content := range map[string]string{"etc/machine-id": identity, "etc/hostname": m.name + "\n"} {
		if err := root.WriteFile(name, []byte(content), 0o644); err != nil {
			return err
		}
	}
	for from, to := range o.Copy {
		if err := copyIn(root, from, to); err != nil {
			return fmt.Errorf("copying %q to the machine's %q: %w", from, to, err)
		}
	}
	return nil
}

func copyIn(root *os.Root, from, to string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	name := strings.TrimPrefix(to, "/")
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	if err := root.WriteFile(name, content, info.Mode().Perm()); err != nil {
		return err
	}
	return root.Chmod(name, info.Mode().Perm())
}
