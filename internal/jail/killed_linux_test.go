package jail

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// There is one life at a time.
func TestStartEndsWhatWasLeft(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		if err := w.maker.EndStale(t.Context(), "nobody.was.here"); err != nil {
			t.Errorf("with nothing left: %v", err)
		}
	})
}

// superviseUntilKilled starts a life, and says so.
func superviseUntilKilled(text string) {
	var spec Spec
	var maker string
	err := json.NewDecoder(strings.NewReader(text)).Decode(&struct {
		Maker *string
		Spec  *Spec
	}{&maker, &spec})
	if err == nil {
		o := Options{Folder: filepath.Dir(spec.View.Hidden[0]) + "/lives", Log: slog.New(slog.DiscardHandler)}
		spec.Output = nil
		var m Maker
		if m, err = makerOf(maker, o); err == nil {
			_, err = m.Start(context.Background(), spec)
		}
	}
	fmt.Println("started", err)
	select {}
}

func makerOf(name string, o Options) (Maker, error) {
	if name == Systemd {
		return newByUnit(context.Background(), o)
	}
	return &byProcess{folder: o.Folder, isolated: name == Namespaces, log: o.Log}, nil
}

// A supervisor that is killed takes the life along: the program may say goodbye, and nothing is left.
func TestKilledSupervisor(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for _, deaf := range []bool{false, true} {
			mark := word(t)
			bye := filepath.Join(w.root, "bye")
			script := "trap 'echo >" + bye + "; exit' INT; setsid sleep " + mark + " & while true; do sleep 0.05; done"
			if deaf {
				script = "trap '' INT TERM; setsid sleep " + mark + " & while true; do sleep 0.05; done"
			}
			spec := w.spec(script)
			spec.Grace = 5 * time.Second // on a busy host
			supervisor := w.supervisor(t, spec)
			become(t, "the job has left something", func() bool { return len(sleeping(t, mark)) > 0 })
			began := time.Now()
			if err := supervisor.Kill(); err != nil {
				t.Fatal(err)
			}
			// The next one does not wait for more than it has to, and is the one who ends the life where a service's end does not.
			if deaf || w.maker.Name() == Systemd {
				if err := w.maker.EndStale(t.Context(), spec.Name); err != nil {
					t.Error(err)
				}
				if left := called(t, mark); len(left) > 0 {
					t.Errorf("after EndStale there are %q", left)
				}
			}
			become(t, "nothing is left", func() bool { return len(called(t, mark)) == 0 })
			if took := time.Since(began); took > spec.Grace+endTime {
				t.Errorf("it took %v", took)
			}
			if exists(bye) == deaf {
				t.Errorf("deaf %t: it has said goodbye: %t", deaf, exists(bye))
			}
			// The folder it had is gone with the next life.
			if got, exit := w.runs(t, w.spec("echo next; rm -f "+bye)); got != "next\n" || exit.Code != 0 {
				t.Errorf("the next one says %q, %+v", got, exit)
			}
		}
	})
}

// What killed processes have left of lives is ended and removed, under whatever names.
func TestClear(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		if w.maker.Name() == Systemd {
			t.Skip("its lives are not in their folders")
		}
		mark := word(t)
		supervisor := w.supervisor(t, w.spec("trap '' INT TERM; setsid sleep "+mark+" & while true; do sleep 0.05; done"))
		become(t, "the job has left something", func() bool { return len(sleeping(t, mark)) > 0 })
		if err := errors.Join(supervisor.Kill(), os.MkdirAll(filepath.Join(w.options.Folder, "probe-1", ownTmp), 0o700)); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := Clear(t.Context(), w.options.Folder); err != nil {
				t.Error(err)
			}
		}
		if left := called(t, mark); len(left) > 0 || exists(w.options.Folder) {
			t.Errorf("there are %q, and the folder: %t", left, exists(w.options.Folder))
		}
	})
}

// supervisor is a process that has started a life.
func (w *world) supervisor(t *testing.T, spec Spec) *os.Process {
	t.Helper()
	return w.supervisorAs(t, spec, func(*exec.Cmd) {})
}

// supervisorAs is supervisor for a process that is prepared.
func (w *world) supervisorAs(t *testing.T, spec Spec, prepare func(*exec.Cmd)) *os.Process {
	t.Helper()
	text, err := json.Marshal(map[string]any{"Maker": w.maker.Name(), "Spec": spec})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), supervisorTest+"="+string(text))
	said, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	prepare(cmd)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line := make([]byte, 200)
	n, err := said.Read(line)
	if err != nil || string(line[:n]) != "started <nil>\n" {
		t.Fatalf("the supervisor says %q, %v", line[:n], err)
	}
	return cmd.Process
}

func TestChooseSaysWhatIsWeaker(t *testing.T) {
	t.Parallel()
	m, err := Choose(t.Context(), Options{Folder: filepath.Join(t.TempDir(), "lives"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	want := Namespaces
	if os.Getuid() != 0 {
		want = Descendants
	}
	if m.Name() != want || len(m.Weaker()) == 0 {
		t.Errorf("it is %q, with %q", m.Name(), m.Weaker())
	}
}

// chooseWithout chooses where nobody may make a PID namespace.
func chooseWithout(folder string) {
	err := os.WriteFile("/proc/sys/user/max_pid_namespaces", []byte("0"), 0)
	var m Maker
	if err == nil {
		m, err = Choose(context.Background(), Options{Folder: folder, Log: slog.New(slog.DiscardHandler)})
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(m.Name(), m.Weaker()[0])
	os.Exit(0)
}

// Where namespaces are switched off, the next way is taken, and said why.
func TestChooseWithoutNamespaces(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), chooseTest+"="+t.TempDir())
	// The setting is that of a user namespace.
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}, GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	output, err := cmd.CombinedOutput()
	if err != nil || !strings.HasPrefix(string(output), Descendants+" this host lets nobody have namespaces (") || !strings.Contains(string(output), syscall.ENOSPC.Error()) {
		t.Errorf("it says %q, %v", output, err)
	}
}

// Told to end while it starts, a life is there and whole, or it is not and leaves nothing.
func TestToldToEndWhileItStarts(t *testing.T) {
	oneByOne(t, func(t *testing.T, w *world) {
		for range 10 {
			w.toldToEnd(t)
		}
	})
}

func (w *world) toldToEnd(t *testing.T) {
	t.Helper()
	mark, begun := word(t), filepath.Join(w.root, "begun")
	if err := os.RemoveAll(begun); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		for !exists(begun) && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
	}()
	life, err := w.maker.Start(ctx, w.spec("trap 'exit 4' INT; setsid sleep "+mark+" & echo >"+begun+"; while true; do sleep 0.02; done"))
	<-ctx.Done()
	if err == nil {
		time.Sleep(10 * time.Millisecond) // for what would kill it nevertheless
		exit := Exit{}
		if err = life.Interrupt(); err == nil {
			exit, err = life.Wait()
		}
		if err := errors.Join(err, life.End(t.Context())); err != nil || exit.Code != 4 {
			t.Errorf("it was started and ended with %+v, %v", exit, err)
		}
	} else if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if left := called(t, mark); len(left) > 0 {
		t.Errorf("it has left %q, and Start said: %v", left, err)
	}
}

// Gone is known when the last that a program has left ends by itself, or is killed, and not before; also when who kept it was killed.
func TestGone(t *testing.T) {
	oneByOne(t, func(t *testing.T, w *world) {
		for _, keeperToo := range []bool{false, true} {
			if keeperToo && w.maker.Name() != Descendants {
				continue // there is none, or the kernel ends all with it
			}
			mark := word(t)
			spec := w.spec("setsid sleep " + mark + " & exit 3")
			spec.Outlive, spec.OutliveTime = []int{3}, 10*patience
			l := w.begin(t, spec)
			gone := l.Gone()
			l.waits()
			become(t, "the program has left something", func() bool { return len(sleeping(t, mark)) > 0 })
			if keeperToo {
				// What it keeps comes to this process, which is its reaper since it was started.
				if err := l.Life.(*processLife).cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
			select {
			case <-gone:
				t.Errorf("keeper killed %t: it is gone with %q", keeperToo, called(t, mark))
			case <-time.After(3 * restPoll):
			}
			for _, file := range sleeping(t, mark) {
				if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err != nil || syscall.Kill(pid, syscall.SIGKILL) != nil {
					t.Errorf("killing process %d of %q: %v", pid, file, err)
				}
			}
			select {
			case <-gone:
			case <-time.After(patience):
				t.Errorf("keeper killed %t: what has ended is not known to be gone", keeperToo)
			}
			l.ends()
		}
		l := w.begin(t, w.spec("while true; do sleep 0.1; done"))
		gone := l.Gone()
		l.ends()
		select {
		case <-gone:
		case <-time.After(patience):
			t.Error("what was ended is not known to be gone")
		}
	})
}

// A first process of which somebody else has taken the exit status may have been killed: what it has left is ended.
func TestExitStatusThatIsNotKnown(t *testing.T) {
	oneByOne(t, func(t *testing.T, w *world) {
		if w.maker.Name() != Descendants {
			return // the kernel ends all with it
		}
		mark := word(t)
		l := w.begin(t, w.spec("setsid sleep "+mark+" & sleep "+mark))
		become(t, "the program runs", func() bool { return len(sleeping(t, mark)) == 2 })
		life := l.Life.(*processLife)
		if err := life.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		<-life.gone
		life.cmd.ProcessState = nil // as after the end of another life of this process, which buries every child
		gone := l.Gone()
		l.ends()
		if left := called(t, mark); len(left) > 0 {
			t.Errorf("it has left %q", left)
		}
		select {
		case <-gone:
		case <-time.After(patience):
			t.Error("what was ended is not known to be gone")
		}
	})
}

// Who keeps a life is told before its program does anything.
func TestBegins(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		told, begun := -1, filepath.Join(w.root, "begun")
		spec := w.spec("echo >" + begun + "; while true; do sleep 0.1; done")
		spec.Begins = func(keeper int) error {
			told = keeper
			time.Sleep(50 * time.Millisecond) // for what would not wait
			if exists(begun) {
				t.Error("the program has begun before that was told")
			}
			return nil
		}
		l := w.begin(t, spec)
		if w.maker.Name() == Systemd {
			if told != 0 {
				t.Errorf("systemd keeps it, and %d was told", told)
			}
		} else if group, err := syscall.Getpgid(told); err != nil || group != told || told == l.Main().PID {
			t.Errorf("of process %d, its group %d is told (%v); the program is %d", told, group, err, l.Main().PID)
		}
		l.ends()
		if told > 0 && syscall.Kill(told, 0) == nil {
			t.Error("after the end of the life who kept it is there")
		}
		if err := os.RemoveAll(begun); err != nil {
			t.Error(err)
		}
		spec.Begins = func(int) error { return errors.ErrUnsupported }
		if _, err := w.try(t, spec); !errors.Is(err, errors.ErrUnsupported) || exists(begun) {
			t.Errorf("what was not to begin: %v, begun: %t", err, exists(begun))
		}
	})
}
