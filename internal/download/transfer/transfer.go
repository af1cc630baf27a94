// Package transfer moves one file from a server into a part file on this disk,
// and gives it out again as one ordered stream, from its first byte, while it
// still arrives.
//
// The part file is the buffer: connections write into it at offsets, the
// reader follows the part of it that has no gap. So a resumed download, one
// connection and eight are one path, memory stays small however slow the
// reader is, and a killed process loses next to nothing. Only where that is worth
// nothing, as the link is fast, it may be skipped: see [Request.SkipDisk].
package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/inuse"
)

var (
	// ErrTransfer is matched by every failure to receive: the network, a
	// refusing status, a stall, a body that is cut. It is not matched by
	// failures of this host's disk, and not by the end of a context.
	ErrTransfer = errors.New("transfer failed")
	// ErrDenied is matched, beside ErrTransfer, where a server wants to know who asks.
	ErrDenied = errors.New("the server does not know who asks")
	// ErrLength is matched where the file is longer than allowed, or its length
	// is not what was announced.
	ErrLength = errors.New("wrong length")
)

// statusError is an answer that is not the file. It matches [ErrTransfer].
type statusError struct {
	Status int
	Host   string // that answered: of a redirect, the one that it led to
}

func (e *statusError) Error() string {
	text := fmt.Sprintf("%s answered %d", e.Host, e.Status)
	if words := http.StatusText(e.Status); words != "" {
		text += " (" + words + ")"
	}
	return text
}

// Is makes every refusal a failure to receive.
func (e *statusError) Is(target error) bool {
	return target == ErrTransfer || target == ErrDenied && e.Status == http.StatusUnauthorized
}

// maxConnections bounds Request.Connections: more than that is rude.
const maxConnections = 8

// Request says what to receive, and where to put it.
type Request struct {
	URL string
	// Authorize, if set, is called for each request to URL. Never for a
	// redirected one: what a redirect may carry is the client's business. Its error ends the transfer.
	Authorize func(*http.Request) error
	// Part is the path of the part file; its state lies at Part+".state". The
	// directory exists, and one process at a time works on it.
	Part string
	// Connections is how many may be in use at once: 1 to 8, 0 means 1. That no other
	// one is open besides is for the client to see to ([http.Transport.MaxConnsPerHost]).
	Connections int
	// MaxBytes is the longest file that is taken; 0 means any.
	MaxBytes int64
	// SHA256, if set, is the digest of the file, in small hexadecimal digits. Where an answer has failed it tells whether everything
	// had come, whatever was said of the length. It judges nothing else.
	SHA256 string
	// Stall is for how long a connection may bring no byte, or no answer, until
	// it is given up and tried again; 0 means for ever. It doubles with each try that brings
	// nothing, up to MostStall where that is longer: who scans a file before passing it on is silent so long.
	Stall, MostStall time.Duration
	// Begins, if set, is shown the first bytes of the file, and tells whether it may begin like that. If not, and it looks like a
	// page, somebody has put that in the file's place, and the file is asked for again.
	Begins func(head []byte) bool
	// SkipDisk is how long receiving the rest of the file may take for it to be
	// passed on without being put on the disk: another process that continues
	// would have to receive that again. Where that is so for the whole file, next
	// to nothing of it stays on the disk. 0 keeps everything.
	SkipDisk time.Duration
	// Progress, if set, is told how many bytes are here, of how many (0
	// where nobody knows). It is called from one goroutine at a time. It begins
	// above 0 where an earlier run is resumed, and goes back to 0 where the
	// download starts again. It must not call Close.
	Progress func(done, total int64)
}

// Stream is a file that arrives. One goroutine at a time may read from it;
// Close, Size and Resumed may be called from any.
type Stream struct {
	r      Request
	client *http.Client
	part   *os.File
	ledger *ledger
	life
	told told

	mu   sync.Mutex
	more sync.Cond // of mu: the contiguous bytes grew, or err was set
	err  error
	segs segments
	reader
	// generation counts how often the file was started again.
	generation int
	resumed    int64
	answers    int    // that have brought bytes of the file since it was started
	unmeasured string // the host that sent the whole without its length; empty if none did
	ranges     bool   // the server has shown that it can
	isReady    bool
	workers
	direct direct
	whole  whole
}

// life is how a Stream begins and ends.
type life struct {
	ctx      context.Context // of the connections
	cancel   context.CancelCauseFunc
	forget   func() bool // stops following the context of Open
	running  sync.WaitGroup
	ready    chan struct{} // closed when the first answer was taken, or when there will be none
	finished chan struct{} // closed when everything is on disk
	close    func() error
}

// told is what Progress was told.
type told struct {
	mu   sync.Mutex // held while Progress runs
	done int64
}

// reader is where the reader of a Stream is. Stream.mu guards it.
type reader struct {
	pos     int64
	starved time.Duration // how long it has waited for bytes in all
	waiting time.Time     // since when it waits now; zero: it does not
}

// Open begins to receive a file, or goes on where an earlier run ended, and
// returns when the length is known: when the first good answer came, or at
// once and without a request where everything is on disk. The life of the
// transfer is that of ctx, and ends with Close. After a failure no connection
// is left; what is on disk stays, and Open may be called again to resume.
//
// What the disk holds is not compared with anything, and neither are the answers with each other but in the length of the
// whole: tags and dates differ between the machines of one server. The caller checks a digest of the whole, and calls [Discard]
// where it is wrong; see [Stream.Doubts].
func Open(ctx context.Context, client *http.Client, r Request) (*Stream, error) {
	r.Connections = min(max(r.Connections, 1), maxConnections)
	s := &Stream{
		r: r, client: client, told: told{done: -1},
		life: life{ready: make(chan struct{}), finished: make(chan struct{})},
	}
	s.more.L = &s.mu
	s.limit = r.Connections
	if err := s.load(); err != nil {
		return nil, err
	}
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	s.close = sync.OnceValue(s.end)
	s.forget = context.AfterFunc(ctx, func() {
		s.mu.Lock()
		err := s.lateLocked(context.Cause(ctx))
		s.mu.Unlock()
		s.fail(err)
	})
	s.begin()
	<-s.ready
	s.mu.Lock()
	err := s.err
	s.mu.Unlock()
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// load takes over what an earlier run has left, if it can be used.
func (s *Stream) load() error {
	part, err := os.OpenFile(s.r.Part, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("opening the part file: %w", err)
	}
	info, err := part.Stat()
	if err != nil {
		return errors.Join(fmt.Errorf("looking at the part file: %w", err), part.Close())
	}
	s.part, s.ledger = part, &ledger{path: s.r.Part + stateMark}
	head, got, err := s.ledger.load(info.Size())
	if err != nil {
		return errors.Join(err, part.Close())
	}
	if got == nil || s.r.MaxBytes > 0 && head.Size > s.r.MaxBytes {
		if err := part.Truncate(0); err != nil {
			return errors.Join(fmt.Errorf("emptying the part file: %w", err), s.ledger.close(), part.Close())
		}
		return nil
	}
	s.segs = segmentsOf(head.Size, got)
	s.resumed, s.high, s.failedAt = s.segs.done, s.segs.done, s.segs.done
	return nil
}

// begin starts the first connection, unless there is nothing left to do.
func (s *Stream) begin() {
	s.mu.Lock()
	if s.segs.complete() {
		s.arrivedLocked()
		s.getReadyLocked()
		s.mu.Unlock()
		s.report()
		return
	}
	s.addWorkerLocked()
	s.mu.Unlock()
	if s.r.Connections > 1 {
		s.running.Go(s.tune)
	}
}

// Size is the length of the file, 0 where the server has not told. It is known
// when Open returns, if it will ever be before the end.
func (s *Stream) Size() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.segs.size
}

// Resumed is how many bytes an earlier run had left on this disk that are used
// again.
func (s *Stream) Resumed() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.resumed
}

// Doubts says what may be wrong with a file whose digest is wrong, and not be so the next time. Pieced is one that was put
// together of more than one answer, or of what an earlier run had left: they may have been of different files. Unmeasured is the
// host of an answer that had the whole and did not say how long it is, so that nobody knows whether it had ended; empty if none did.
func (s *Stream) Doubts() (pieced bool, unmeasured string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.resumed > 0 || s.answers > 1, s.unmeasured
}

// Read returns what is here at once, and waits only where nothing is. Large
// reads are best: 256 KiB. It returns io.EOF when, and only when, the whole file
// has come and was read; a failure of the transfer comes out at the next call.
func (s *Stream) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		n, upto, generation, err := s.await(p)
		if err != nil || n > 0 {
			return n, err
		}
		n, err = s.part.ReadAt(p[:min(int64(len(p)), upto-s.pos)], s.pos)
		s.mu.Lock()
		switch {
		case s.generation != generation:
			// The file was started again beneath this read: what was read may be of both.
			s.mu.Unlock()
			continue
		case n > 0:
			s.pos += int64(n)
			s.mu.Unlock()
			return n, nil
		case errors.Is(err, io.EOF):
			err = io.ErrUnexpectedEOF // somebody cut the part file
		}
		s.mu.Unlock()
		return 0, fmt.Errorf("reading the part file: %w", err)
	}
}

// await waits until there are bytes behind the reader's position. It returns up to
// where they are on the disk, or n of them in p where they skip it.
func (s *Stream) await(p []byte) (n int, upto int64, generation int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		prefix := s.segs.prefix()
		switch {
		case s.err != nil:
			return 0, 0, 0, s.err
		case len(s.direct.handoff) > 0 && s.direct.handoffAt == s.pos:
			return s.takeHandoffLocked(p), 0, 0, nil
		case prefix > s.pos:
			return 0, prefix, s.generation, nil
		case !s.segs.complete():
			s.waiting = time.Now()
			s.more.Wait()
			s.starved += time.Since(s.waiting)
			s.waiting = time.Time{}
		case s.pos > prefix:
			return 0, 0, 0, fmt.Errorf("%w: the file has become shorter than what was read of it", ErrLength)
		default:
			return 0, 0, 0, io.EOF
		}
	}
}

// Close ends all connections and waits for them. The part file and its state
// stay, for resuming. It may be called again, and while Read waits, which then
// returns an error that matches fs.ErrClosed.
func (s *Stream) Close() error { return s.close() }

func (s *Stream) end() error {
	s.forget()
	s.fail(fmt.Errorf("reading the stream: %w", fs.ErrClosed))
	s.running.Wait()
	return errors.Join(s.ledger.close(), s.part.Close())
}

// fail ends everything; the first reason is kept.
func (s *Stream) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
	s.cancel(s.err)
	s.more.Broadcast()
	s.getReadyLocked()
}

// getReadyLocked lets Open return.
func (s *Stream) getReadyLocked() {
	if !s.isReady {
		s.isReady = true
		close(s.ready)
	}
}

// arrivedLocked says that everything is on disk.
func (s *Stream) arrivedLocked() {
	select {
	case <-s.finished:
	default:
		close(s.finished)
	}
}

// report tells how far the download is, if that is news.
func (s *Stream) report() {
	if s.r.Progress == nil {
		return
	}
	s.told.mu.Lock()
	defer s.told.mu.Unlock()
	s.mu.Lock()
	done, total := s.segs.done, s.segs.size
	s.mu.Unlock()
	if done != s.told.done {
		s.told.done = done
		s.r.Progress(done, total)
	}
}

// Discard removes a part file and its state. It may be repeated, and finding
// nothing is success. No Stream may be open on it.
func Discard(part string) error {
	var failed error
	for _, name := range []string{part + stateMark, part + stateMark + newMark, part} {
		if err := inuse.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = errors.Join(failed, fmt.Errorf("removing a part file: %w", err))
		}
	}
	return failed
}
