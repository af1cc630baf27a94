//go:build unix

package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// victim tells a copy of this program what to receive until it is killed.
const (
	victim       = "TRANSFER_VICTIM"
	victimFormat = "%s %q %d %d"
)

func TestMain(m *testing.M) {
	if text := os.Getenv(victim); text != "" {
		r := Request{Stall: time.Minute}
		_, err := fmt.Sscanf(text, victimFormat, &r.URL, &r.Part, &r.SkipDisk, &r.Connections)
		if err == nil {
			err = receiveAsVictim(r)
		}
		fmt.Println(err)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func receiveAsVictim(r Request) error {
	s, err := Open(context.Background(), http.DefaultClient, r)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, s)
	return errors.Join(err, s.Close())
}

// A process that is killed has all that it wrote, and a process moves each byte
// about once, however often it is killed.
func TestKilledProcess(t *testing.T) {
	t.Parallel()
	const size, kills = 24 * mib, 20
	o := onLoopback(t, size)
	o.body = o.waitForTheDisk
	random := rand.New(rand.NewPCG(1, 2))
	killed := 0
	for range kills {
		before := o.sentBytes()
		// Half of the file in all: a kill comes late on a busy machine.
		wait := size/kills/4 + random.Int64N(size/kills/2)
		if killOne(t, o, o.request(), before+wait) {
			killed++
		}
	}
	s, err := Open(t.Context(), o.client, o.request())
	if err != nil {
		t.Fatal(err)
	}
	if s.Resumed() == 0 {
		t.Error("nothing is used again")
	}
	got, err := io.ReadAll(s)
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	o.wantWhole(t, got)
	// That is less than 1 % of the 225 MB that this is made for.
	if more := o.sentBytes() - size; more > kills*(enough+piece) || killed < kills {
		t.Errorf("%d kills cost %d bytes each, want %d at most", killed, more/kills, enough+piece)
	}
}

// A process that is killed while it gives room back leaves nothing that is taken for
// the file, and enough for the next one to keep everything.
func TestKilledFastDownload(t *testing.T) {
	t.Parallel()
	const size = 12 * segmentSize
	o := onLoopback(t, size)
	o.body = func(_ int, w http.ResponseWriter, r *http.Request, data []byte) { slowly(w, r, data, 120*mib) }
	random := rand.New(rand.NewPCG(3, 4))
	for _, connections := range []int{1, 1, 1, maxConnections, maxConnections, maxConnections} {
		r := o.fast()
		r.Connections = connections
		upto := o.sentBytes() + keptFirst + random.Int64N(size-keptFirst-segmentSize)
		if !killOne(t, o, r, upto) {
			t.Fatal("it was not killed")
		}
		o.wantRead(t, r)
		o.wantKept(t, size)
		if err := Discard(r.Part); err != nil {
			t.Fatal(err)
		}
	}
}

const piece = 16 << 10

// waitForTheDisk sends a body in pieces, and is never far ahead of what the
// state says: so it does not count what is in the buffers of sockets.
func (o *origin) waitForTheDisk(_ int, w http.ResponseWriter, r *http.Request, data []byte) {
	for at := len(o.data) - len(data); len(data) > 0; {
		n := min(piece, len(data))
		if _, err := w.Write(data[:n]); err != nil {
			return
		}
		flush(w)
		at, data = at+n, data[n:]
		for onDisk(o.part()) < at-enough {
			select {
			case <-time.After(time.Millisecond):
			case <-r.Context().Done():
				return
			}
		}
	}
}

func onDisk(part string) (sum int) {
	text, err := os.ReadFile(part + stateMark)
	if err != nil {
		return 0
	}
	_, got, _ := parseState(text, math.MaxInt64)
	for _, n := range got {
		sum += int(n)
	}
	return sum
}

func (o *origin) sentBytes() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.sent
}

// killOne starts a process that receives, and kills it when the server has sent
// so much in all. It returns whether that came before the end.
func killOne(t *testing.T, o *origin, r Request, upto int64) bool {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), victim+"="+fmt.Sprintf(victimFormat, o.URL, r.Part, r.SkipDisk, r.Connections))
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var over atomic.Bool
	done := make(chan struct{})
	go func() { defer close(done); _ = cmd.Wait(); over.Store(true) }()
	for began := time.Now(); o.sentBytes() < upto && !over.Load(); <-time.After(2 * time.Millisecond) {
		if time.Since(began) > 20*time.Second {
			_ = cmd.Process.Kill()
			<-done
			t.Fatalf("%d bytes were sent, and %d are on disk: nothing moves", o.sentBytes(), onDisk(o.part()))
		}
	}
	alive := !over.Load()
	_ = cmd.Process.Kill()
	<-done
	if !alive {
		t.Logf("it ended by itself: %s", out.String())
	}
	return alive
}
