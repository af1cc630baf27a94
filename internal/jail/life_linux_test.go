package jail

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
)

func TestExit(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for script, want := range map[string]Exit{
			"exit 0": {Code: 0}, "exit 1": {Code: 1}, "exit 3": {Code: 3}, "exit 143": {Code: 143}, "exit 203": {Code: 203}, "exit 255": {Code: 255},
			"kill -KILL $$": {Code: -1, Signal: int(syscall.SIGKILL)}, "kill -TERM $$": {Code: -1, Signal: int(syscall.SIGTERM)},
			"kill -INT $$": {Code: -1, Signal: int(syscall.SIGINT)},
		} {
			if output, got := w.runs(t, w.spec(script)); got != want {
				t.Errorf("%q ended with %+v, want %+v; it said %q", script, got, want, output)
			}
		}
	})
}

func TestOutputIsWhole(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		got, exit := w.runs(t, w.spec("echo out; echo err >&2; i=0; while [ $i -lt 20000 ]; do echo 0123456789; i=$((i+1)); done; read x || echo no input; printf end"))
		want := "out\nerr\n" + strings.Repeat("0123456789\n", 20000) + "no input\nend"
		if got != want || exit != (Exit{}) {
			t.Errorf("of %d bytes %d came; it ended with %+v: %.60q", len(want), len(got), exit, got)
		}
	})
}

func TestWithoutOutput(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		life, err := w.maker.Start(t.Context(), w.spec("echo out; exit 4"))
		if err != nil {
			t.Fatal(err)
		}
		if exit, err := life.Wait(); err != nil || exit.Code != 4 {
			t.Errorf("it ended with %+v, %v", exit, err)
		}
		for range 2 {
			if err := life.End(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
}

// What it is started with, and as whom.
func TestIdentity(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		spec := w.spec(`id -u; id -g; id -G; pwd; echo "$ROOT|$ODD"; umask; cat /proc/self/oom_score_adj; sh -c 'trap - INT; kill -INT $$'; echo $?`)
		spec.Env = append([]string{"ODD=set again", "ROOT=likewise"}, append(spec.Env, "ODD=a b\t\"c\" $HOME ${X} \\ %n 'd' ü\nnext ")...)
		got, _ := w.runs(t, spec)
		groups := make([]string, len(w.user.Groups))
		for i, group := range w.user.Groups {
			groups[i] = strconv.Itoa(group)
		}
		want := fmt.Sprintf("%d\n%d\n%s\n%s\n%s|%s\n0022\n0\n130\n", w.user.UID, w.user.GID, strings.Join(groups, " "), w.root, w.root, "a b\t\"c\" $HOME ${X} \\ %n 'd' ü\nnext ")
		if got != want {
			t.Errorf("it says\n%q, want\n%q", got, want)
		}
	})
}

// An account that no host knows: who registers a runner.
func TestNameless(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		if w.user.Self {
			t.Skip("who is the account is nobody else")
		}
		w.user = account.User{UID: stranger + 500, GID: stranger + 501}
		if err := w.user.Own(w.root); err != nil {
			t.Fatal(err)
		}
		spec := w.spec(`id -u; id -G; touch made && grep -E '^(NoNewPrivs|CapEff|CapPrm|CapInh|CapBnd|CapAmb):' /proc/self/status | cut -f 2`)
		want := fmt.Sprintf("%d\n%d\n", stranger+500, stranger+501) + strings.Repeat("0000000000000000\n", 5) + "1\n"
		if got, exit := w.runs(t, spec); got != want || exit.Code != 0 {
			t.Errorf("it says %q, %+v", got, exit)
		}
	})
}

// Everything of a life is ended with it, however it has hidden itself.
func TestEndLeavesNothing(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for name, script := range map[string]string{
			"a child":             `sleep WORD &`,
			"a session":           `setsid sleep WORD >/dev/null 2>&1 &`,
			"an orphan's orphan":  `(setsid sh -c '(setsid sleep WORD >/dev/null 2>&1 &) ; exit' &) ; sleep 0.2`,
			"one that is deaf":    `setsid sh -c 'trap "" TERM INT HUP; sleep WORD; sleep WORD' & sleep 0.2`,
			"one that is stopped": `setsid sleep WORD & until grep -qx sleep /proc/$!/comm; do sleep 0.02; done; kill -STOP $!`,
			"the program, deaf":   `trap "" TERM INT HUP; sleep WORD &`,
			"one that comes back": `echo 'trap "" HUP; sleep WORD & (setsid sh again >/dev/null 2>&1 &) ; sleep 0.5' >again; setsid sh again &`,
			"many":                `for i in 1 2 3 4 5 6 7 8 9 10; do setsid sleep WORD & done`,
		} {
			mark, ready := word(t), filepath.Join(w.root, "ready")
			l := w.begin(t, w.spec(strings.ReplaceAll(script, "WORD", mark)+"\ntouch ready; while true; do sleep 0.1; done"))
			become(t, name, func() bool { return exists(ready) && len(sleeping(t, mark)) > 0 })
			l.ends()
			if left := called(t, mark); len(left) > 0 {
				t.Errorf("%s: left are %q", name, left)
			}
			if err := os.Remove(ready); err != nil {
				t.Error(err)
			}
		}
	})
}

// A program that ends by itself takes along what it has left, unless that may outlive it.
func TestEndOfTheProgram(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		mark := word(t)
		spec := w.spec("setsid sleep " + mark + " & exit 3")
		spec.Outlive, spec.OutliveTime = []int{3, 4}, time.Minute
		l := w.begin(t, spec)
		if exit := l.waits(); exit.Code != 3 {
			t.Errorf("it ended with %+v", exit)
		}
		become(t, "the program has left something", func() bool { return len(sleeping(t, mark)) > 0 })
		time.Sleep(300 * time.Millisecond)
		if len(sleeping(t, mark)) != 1 {
			t.Error("what may outlive the program was ended with it")
		}
		l.ends()
		if left := called(t, mark); len(left) > 0 {
			t.Errorf("after the end of the life there are %q", left)
		}
		spec = w.spec("setsid sleep " + mark + " & until grep -qx sleep /proc/$!/comm; do sleep 0.02; done; exit 5")
		spec.Outlive = []int{3, 4}
		l = w.begin(t, spec)
		l.waits()
		become(t, "the end of what may not outlive the program", func() bool { return len(called(t, mark)) == 0 })
		l.ends()
	})
}

// An interrupt is for the program alone, which ends in its own way.
func TestInterrupt(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		l := w.begin(t, w.spec(`sh -c 'trap "echo child >told" INT; touch child; while true; do sleep 0.05; done' &
			trap 'echo bye; exit 7' INT; while ! test -e child; do sleep 0.01; done; touch ready; while true; do sleep 0.05; done`))
		become(t, "the child is ready", func() bool { return exists(filepath.Join(w.root, "ready")) })
		if err := l.Interrupt(); err != nil {
			t.Error(err)
		}
		if exit := l.waits(); exit.Code != 7 {
			t.Errorf("it ended with %+v", exit)
		}
		if err := l.Interrupt(); err != nil {
			t.Errorf("interrupting one that has ended: %v", err)
		}
		if got := l.ends(); got != "bye\n" {
			t.Errorf("it said %q", got)
		}
		if exists(filepath.Join(w.root, "told")) {
			t.Error("its child was interrupted too")
		}
		if err := l.Interrupt(); err != nil {
			t.Errorf("interrupting one that is over: %v", err)
		}
	})
}

func TestMainIsTheProgram(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		mark := word(t)
		l := w.begin(t, w.spec("exec sleep "+mark))
		become(t, "the program runs", func() bool { return len(sleeping(t, mark)) > 0 })
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", l.Main().PID))
		if err != nil || !strings.Contains(string(text), mark) || l.Main().UID != w.user.UID || !l.Main().Alive() {
			t.Errorf("main is %+v, which is %q, %v", l.Main(), text, err)
		}
	})
}

// Where it cannot be started, the error says why.
func TestRefused(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		closed, script := filepath.Join(w.root, "closed"), filepath.Join(w.root, "lost")
		if err := errors.Join(os.WriteFile(closed, []byte("x"), 0o644), os.WriteFile(script, []byte("#!/not/there\n"), 0o755)); err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct {
			change func(*Spec)
			want   error
		}{
			"a program that is not there":      {func(s *Spec) { s.Argv = []string{filepath.Join(w.root, "absent")} }, fs.ErrNotExist},
			"one that may not be executed":     {func(s *Spec) { s.Argv = []string{closed} }, fs.ErrPermission},
			"a folder":                         {func(s *Spec) { s.Argv = []string{w.root} }, fs.ErrPermission},
			"an interpreter that is not there": {func(s *Spec) { s.Argv = []string{script} }, fs.ErrNotExist},
			"a place that is not there":        {func(s *Spec) { s.Dir = filepath.Join(w.root, "absent") }, fs.ErrNotExist},
		} {
			spec := w.spec("echo started")
			c.change(&spec)
			_, err := w.try(t, spec)
			var refused *StartError
			if !errors.As(err, &refused) || !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			}
			if exists(filepath.Join(w.options.Folder, spec.Name)) {
				t.Errorf("%s: its folder is left", name)
			}
		}
	})
}

func TestStartThatIsGivenUp(t *testing.T) {
	oneByOne(t, func(t *testing.T, w *world) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		mark := word(t)
		if _, err := w.maker.Start(ctx, w.spec("sleep "+mark)); !errors.Is(err, context.Canceled) {
			t.Errorf("it was started: %v", err)
		}
		if left := called(t, mark); len(left) > 0 {
			t.Errorf("left are %q", left)
		}
	})
}
