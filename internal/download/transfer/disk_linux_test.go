package transfer

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// What a full disk says comes out as it is, at once, and what is on it stays.
func TestFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can mount a small file system")
	}
	dir := smallDisk(t, "6m")
	for _, connections := range []int{1, maxConnections} {
		o := onLoopback(t, 4*segmentSize)
		o.dir = dir
		r := o.request()
		r.Connections = connections
		_, err := o.receive(t.Context(), r)
		if !errors.Is(err, syscall.ENOSPC) || errors.Is(err, ErrTransfer) {
			t.Errorf("%v, want that there is no space", err)
		}
		if n := len(o.ranges(0)); n > connections {
			t.Errorf("%d requests for %d connections: it was tried again", n, connections)
		}
		s := &ledger{path: r.Part + stateMark}
		info, err := os.Stat(r.Part)
		if err != nil {
			t.Fatal(err)
		}
		if _, got, err := s.load(info.Size()); err != nil || got == nil || got[0] != segmentSize {
			t.Errorf("the state says %v, %v, want that what fitted is there", got, err)
		}
		if err := errors.Join(s.close(), Discard(r.Part)); err != nil {
			t.Fatal(err)
		}
	}
}

// A write that is late because little came fails the transfer at once as well.
func TestFullDiskWhenLittleComes(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can mount a small file system")
	}
	o := onLoopback(t, mib)
	o.dir = smallDisk(t, "64k")
	o.body = func(_ int, w http.ResponseWriter, r *http.Request, data []byte) {
		for i := range 5 {
			_, _ = w.Write(data[i*10_000 : (i+1)*10_000])
			flush(w)
			<-time.After(4 * linger)
		}
		hang(w, r, data[50_000:], 30_000)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, err := o.receive(ctx, o.request()); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("%v, want that there is no space", err)
	}
}

// What is of no more use takes no room on the disk, however many connections brought it.
func TestFastDownloadFreesTheDisk(t *testing.T) {
	for _, connections := range []int{1, maxConnections} {
		o := onLoopback(t, 12*segmentSize)
		o.body = func(_ int, w http.ResponseWriter, r *http.Request, data []byte) { slowly(w, r, data, 30*mib) }
		r := o.request()
		r.SkipDisk, r.Connections = time.Minute, connections
		o.wantRead(t, r)
		var status syscall.Stat_t
		if err := syscall.Stat(r.Part, &status); err != nil {
			t.Fatal(err)
		}
		// Some of the last ones were read when no connection was there any more.
		if got := status.Blocks * 512; got > int64(connections+1)*segmentSize {
			t.Errorf("with %d connections %d bytes are on the disk, %d requests", connections, got, len(o.ranges(0)))
		}
	}
}

// A state that cannot be written ends the download, and what it counts on stays.
func TestStateThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	part, err := os.Create(filepath.Join(dir, "part"))
	if err != nil {
		t.Fatal(err)
	}
	defer part.Close()
	s := &Stream{r: Request{SkipDisk: time.Minute}, segs: emptySegments(passSize, true), part: part, ledger: &ledger{path: filepath.Join(dir, "state")}}
	s.moved, s.pos, s.direct.began = passSize, 2*segmentSize, time.Now()
	kept := make([]byte, 2*segmentSize)
	for i := range kept {
		kept[i] = 1
	}
	_, err = part.Write(kept)
	if err := errors.Join(err, s.ledger.rewrite(passSize, s.segs.got), s.ledger.file.Close()); err != nil {
		t.Fatal(err)
	}
	if err := (worker{s}).punchConsumed(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("%v, want the failure of the state", err)
	}
	if got, err := os.ReadFile(part.Name()); err != nil || !bytes.Equal(got, kept) {
		t.Errorf("what the state counts on is gone (%v)", err)
	}
}

func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "small")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("mounting is not possible here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}
