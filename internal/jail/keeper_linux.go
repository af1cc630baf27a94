package jail

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// keeper is a first process, which does nothing before it is told what its life begins with, and ends with the one who could.
type keeper struct {
	cmd     *exec.Cmd
	orders  *os.File
	reports *os.File
	gone    chan struct{} // closed when it has ended
}

// launch starts one.
func launch(isolated bool) (*keeper, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("making a socket for orders: %w", err)
	}
	theirs, orders := os.NewFile(uintptr(pair[0]), "orders"), os.NewFile(uintptr(pair[1]), "orders") //nolint:gosec // not negative
	reports, theirReports, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, theirs.Close(), orders.Close())
	}
	//nolint:noctx // it is ended by an order, and by the kernel when this process ends
	cmd := exec.Command("/proc/self/exe")
	cmd.Args, cmd.Dir, cmd.Env = []string{firstName}, "/", []string{"GOMAXPROCS=2", "GOGC=50"}
	cmd.ExtraFiles = []*os.File{theirs, theirReports} // orderFile, reportFile
	// Not in the session of a terminal: what is typed there for root could be typed by a job as well (TIOCSTI).
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if isolated {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWIPC
	}
	err = cmd.Start()
	err = errors.Join(err, theirs.Close(), theirReports.Close())
	if err != nil {
		return nil, errors.Join(err, orders.Close(), reports.Close())
	}
	k := &keeper{cmd: cmd, orders: orders, reports: reports, gone: make(chan struct{})}
	go func() {
		defer close(k.gone)
		_ = cmd.Wait() // how it ended is of no interest, but that it did
	}()
	return k, nil
}

// finished tells of one that has ended whether it did all that it had to. Where somebody else has taken its exit status, as the
// end of another life of this process does, that is not known: it may have been killed.
func (k *keeper) finished() bool { return k.cmd.ProcessState != nil && k.cmd.ProcessState.Success() }

// dismiss ends one that was told nothing.
func (k *keeper) dismiss() {
	_, _ = k.orders.Close(), k.reports.Close() // it has nothing to say, and was told nothing
	<-k.gone
}

// spares are first processes that were started before there was something for them to do. The zero value has none.
type spares struct {
	mu      sync.Mutex
	waiting []*keeper
}

// have starts and ends as many as there are too few and too many.
func (s *spares) have(isolated bool, number int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.waiting) < number {
		k, err := launch(isolated)
		if err != nil {
			return err
		}
		s.waiting = append(s.waiting, k)
	}
	for _, k := range s.waiting[number:] {
		k.dismiss()
	}
	s.waiting = s.waiting[:number]
	return nil
}

// take gives one that lives.
func (s *spares) take(isolated bool) (*keeper, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.waiting) > 0 {
		k := s.waiting[0]
		s.waiting = s.waiting[1:]
		select {
		case <-k.gone: // somebody has killed it
			k.dismiss()
		default:
			return k, nil
		}
	}
	return launch(isolated)
}

// handOver sends a file, or none, before the first order.
func handOver(orders *os.File, output *os.File) error {
	var rights []byte
	if output != nil {
		rights = unix.UnixRights(int(output.Fd()))
	}
	if err := unix.Sendmsg(int(orders.Fd()), []byte{0}, rights, nil, unix.MSG_NOSIGNAL); err != nil {
		return fmt.Errorf("handing over the output: %w", err)
	}
	return nil
}

// takeOver has this process write to what it is handed over.
func takeOver(orders int) error {
	word, rights := make([]byte, 1), make([]byte, unix.CmsgSpace(4))
	n, told, _, _, err := unix.Recvmsg(orders, word, rights, unix.MSG_CMSG_CLOEXEC)
	switch {
	case err != nil:
		return err
	case n == 0:
		return errors.New("nobody gives orders any more")
	case told == 0:
		return nil // what it has is /dev/null
	}
	messages, err := unix.ParseSocketControlMessage(rights[:told])
	if err != nil {
		return err
	}
	files, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return err
	}
	return errors.Join(unix.Dup3(files[0], 1, 0), unix.Dup3(files[0], 2, 0), unix.Close(files[0]))
}
