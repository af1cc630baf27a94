package jail

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestOwnTemporaryFolders(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		if !w.isolates() {
			return
		}
		name := "of-a-life-" + word(t)
		script := "set -e; for d in /tmp /var/tmp /dev/shm /run/lock; do echo $d $(stat -c '%a %U' $d) $(ls -A $d | grep -v " + strings.Split(w.base, "/")[2] + "); mkdir $d/" + name + "; touch $d/" + name + "/x; done"
		want := "/tmp 1777 root\n/var/tmp 1777 root\n/dev/shm 1777 root\n/run/lock 1777 root\n"
		for range 2 { // the second finds nothing of the first
			if got, exit := w.runs(t, w.spec(script)); got != want || exit.Code != 0 {
				t.Errorf("it says %q, %+v", got, exit)
			}
			for _, dir := range []string{"/tmp/", "/var/tmp/", "/dev/shm/", "/run/lock/"} {
				if exists(dir + name) {
					t.Errorf("the host has %s", dir+name)
				}
			}
		}
		spec := w.spec("test -e " + w.base + " && touch /dev/shm/" + name)
		spec.View.HostTemp = true
		if got, exit := w.runs(t, spec); exit.Code != 0 || !exists("/dev/shm/"+name) {
			t.Errorf("with the host's it ended with %+v: %s", exit, got)
		}
		if err := os.Remove("/dev/shm/" + name); err != nil {
			t.Error(err)
		}
	})
}

// Of what is hidden nothing is seen, but what is its own.
func TestHidden(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		if !w.isolates() {
			return
		}
		other, secret, inside := filepath.Join(w.base, "runners", "two"), filepath.Join(w.base, "secret"), filepath.Join(w.root, "inside")
		err := errors.Join(os.MkdirAll(other, 0o755), os.WriteFile(secret, []byte("secret"), 0o644), os.MkdirAll(inside, 0o755),
			os.WriteFile(inside+"/x", nil, 0o644), os.MkdirAll(w.base+"/state/deep", 0o755))
		if err != nil {
			t.Fatal(err)
		}
		for _, hostTemp := range []bool{false, true} {
			spec := w.spec("ls " + w.base + "/runners; cat " + secret + " 2>/dev/null; ls " + inside + " 2>/dev/null; ls " + w.base + "/state 2>/dev/null; touch here && touch ../there 2>/dev/null; ls /home /root 2>/dev/null; echo end")
			spec.View.Hidden = append(spec.View.Hidden, secret, inside, w.base+"/state", w.base+"/state/deep", w.base+"/absent", "/tmp/absent/deeper")
			spec.View.Writable = append(spec.View.Writable, w.base+"/not-there")
			spec.View.HostTemp = hostTemp
			if got, _ := w.runs(t, spec); strings.Join(strings.Fields(strings.ReplaceAll(strings.ReplaceAll(got, "/home:", ""), "/root:", "")), " ") != "one end" {
				t.Errorf("with the host's temporary folders %t it sees %q", hostTemp, got)
			}
		}
		if !exists(filepath.Join(w.root, "here")) || exists(filepath.Join(w.base, "runners", "there")) {
			t.Error("what it writes into its own folder is not there, or what it writes beside it is")
		}
	})
}

func TestHome(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		if !w.isolates() {
			return
		}
		home := filepath.Join(w.base, "homes", "one")
		if err := errors.Join(os.MkdirAll(home, 0o700), w.user.Own(home), os.WriteFile(filepath.Join(home, "kept"), nil, 0o644)); err != nil {
			t.Fatal(err)
		}
		spec := w.spec("ls -A " + home + "; stat -c '%a %u' " + home + "; touch " + home + "/made")
		spec.View.Hidden, spec.View.Home, spec.View.Fresh = append(spec.View.Hidden, filepath.Dir(home)), home, true
		want := fmt.Sprintf("700 %d\n", w.user.UID)
		for range 2 {
			if got, exit := w.runs(t, spec); got != want || exit.Code != 0 {
				t.Errorf("in a fresh one it says %q, %+v", got, exit)
			}
		}
		if exists(home + "/made") {
			t.Error("the one on the disk was written to")
		}
		spec.View.Fresh = false
		if got, exit := w.runs(t, spec); got != "kept\n"+want || exit.Code != 0 || !exists(home+"/made") {
			t.Errorf("in its own it says %q, %+v", got, exit)
		}
		if exists(filepath.Join(w.options.Folder, spec.Name)) {
			t.Error("the folder of the life is left")
		}
		// A runner may lie in the home that is not there.
		spec = w.spec("ls -A " + w.base + "/runners; ls -A; touch made")
		spec.View.Home, spec.View.Fresh = filepath.Dir(w.root), true
		if got, exit := w.runs(t, spec); got != "one\n" || exit.Code != 0 || !exists(filepath.Join(w.root, "made")) {
			t.Errorf("in a runner in a fresh home it says %q, %+v", got, exit)
		}
	})
}

// Nobody becomes more than they are, unless that is allowed.
func TestPrivileges(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		if w.user.Self {
			t.Skip("who is the account already has what it may have")
		}
		const look = "grep -E '^(NoNewPrivs|CapEff|CapPrm):' /proc/self/status | tr -s '[:space:]' ' '"
		for sudo, want := range map[bool]string{
			false: "CapPrm: 0000000000000000 CapEff: 0000000000000000 NoNewPrivs: 1 ",
			true:  "CapPrm: 0000000000000000 CapEff: 0000000000000000 NoNewPrivs: 0 ",
		} {
			spec := w.spec(look)
			spec.View.Sudo = sudo
			if got, _ := w.runs(t, spec); got != want {
				t.Errorf("with sudo %t it has %q", sudo, got)
			}
		}
	})
}

// Who hides nothing from a job sees the host as it is.
func TestUnconfined(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		mark := filepath.Join(w.base, "mark")
		if err := os.WriteFile(mark, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		spec := w.spec("test -e " + mark + " && grep -q 'NoNewPrivs:.0' /proc/self/status")
		spec.View = View{}
		if got, exit := w.runs(t, spec); exit.Code != 0 {
			t.Errorf("it does not: %+v, %q", exit, got)
		}
	})
}

// Jobs that multiply stay within their bound, and what has ended is buried at once.
func TestTasks(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		if w.user.Self {
			t.Skip("the account has other processes, which the kernel counts as well")
		}
		if w.maker.Name() != Systemd {
			w.user.UID = 1_000_000 + int(time.Now().UnixNano()%1_000_000) // nobody else's processes count
		}
		if err := w.user.Own(w.root); err != nil {
			t.Fatal(err)
		}
		mark := word(t)
		spec := w.spec("(i=0; while [ $i -lt 60 ]; do sleep " + mark + " & i=$((i+1)); done; wait) & exec sleep 60")
		spec.Tasks = 20
		l := w.begin(t, spec)
		become(t, "some are there", func() bool { return len(sleeping(t, mark)) >= 10 })
		time.Sleep(300 * time.Millisecond)
		if n := len(called(t, mark)); n > 20 {
			t.Errorf("%d processes run", n)
		}
		l.ends()
		spec = w.spec("i=0; while [ $i -lt 400 ]; do (setsid true &) ; i=$((i+1)); done; " +
			// The kernel, and a busy host, take a moment.
			"for i in 1 2 3 4 5 6 7 8; do sleep 0.2; n=$(cat /proc/[0-9]*/stat 2>/dev/null | grep -c ') Z '); test $n -gt 20 || break; done; echo $n")
		spec.Tasks = 200
		got, _ := w.runs(t, spec)
		if n, err := strconv.Atoi(strings.TrimSpace(got)); err != nil || n > 20 {
			t.Errorf("there are %q zombies, %v", got, err)
		}
	})
}
