package doctor

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// hideICU covers all libraries of ICU, and the loader's cache.
const hideICU = `
for file in $(find /lib /lib64 /usr/lib /usr/lib64 -maxdepth 2 -name 'libicu*.so.*' 2>/dev/null); do
	file=$(readlink -f "$file")
	if [ -s "$file" ]; then mount --bind /dev/null "$file"; fi
done
if [ -e /etc/ld.so.cache ]; then mount --bind /dev/null /etc/ld.so.cache; fi
`

// everywhere are the checks that are the same on every host which can run these tests.
func everywhere() []string {
	return []string{
		"privileges", "platform", "libc", "runner", "files", "disk", "inodes", "directories", "account", "systemd", "selinux",
		"proxy", "dns", "tls", "ipv6", "hosts", "clock", "token", "group",
	}
}

func TestSoundHost(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.server.AddGroup("octo-org", "builders")
	got := h.doctor("", h.usual("--runnergroup", "builders")...)
	got.sound(t, everywhere()...)
	if left, err := os.ReadDir(h.dir); err != nil || len(left) > 0 {
		t.Errorf("it left %v, %v", left, err)
	}
	for _, r := range h.server.Requests() {
		if r.Method != http.MethodGet {
			t.Errorf("it sent %s %s", r.Method, r.Path)
		}
	}
}

// TestBrokenHosts are hosts that a mount is enough to break.
func TestBrokenHosts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		setup             string
		arguments         []string
		check, found, fix string
	}{
		"no ICU":         {hideICU, nil, "libraries", "missing: ICU", "/runner-bootstrap doctor"},
		"full disk":      {`mount -t tmpfs -o size=1m,mode=755 tmpfs "$DIR"`, nil, "disk", "MB free, about ", "df -h "},
		"inodes used up": {`mount -t tmpfs -o size=16g,nr_inodes=100,mode=755 tmpfs "$DIR"`, nil, "inodes", "no more files", "df -i "},
		"read-only":      {`mount --bind "$BASE" "$BASE"; mount -o remount,bind,ro "$BASE"`, nil, "directories", "read-only", "sudo mount -o remount,rw "},
		"read-only and full": {
			`mount -t tmpfs -o ro,size=4k,mode=755 tmpfs "$DIR"`, nil, "directories", "read-only", "sudo mount -o remount,rw ",
		},
		"noexec": {`mount -t tmpfs -o size=16g,noexec,mode=755 tmpfs "$DIR"`, nil, "directories", "mounted with noexec", "sudo mount -o remount,exec "},
		"a folder with noexec": {
			`mkdir "$BASE/x"; mount --bind "$BASE/x" "$DIR"; mount -o remount,bind,noexec "$DIR"`, nil,
			"directories", `mounted with noexec (`, "sudo mount -o remount,exec $DIR",
		},
		"a file system of the kernel's": {
			`mount -t proc proc "$DIR"`, nil, "directories", `no file can be made: no such file or directory (proc, mounted at "$DIR")`, "--dir DIR",
		},
		"unknown group": {"", []string{"--runnergroup", "painters"}, "group", "there is no such runner group", "--runnergroup Default"},
		"DNS fails": {
			`echo "nameserver 127.9.9.9
options timeout:1 attempts:1" >"$BASE/resolv.conf"; mount --bind "$BASE/resolv.conf" "$(readlink -f /etc/resolv.conf)"`,
			[]string{"--url", "https://github.invalid/octo-org"},
			"dns", "the name cannot be resolved", "getent ahosts github.invalid",
		},
		"an account that cannot pass": {`mount -t tmpfs -o mode=700 tmpfs "$DIR"`, nil, "account", "it may not list", "sudo chmod a+rx "},
		"no such account":             {"", []string{"--user", "no-such-account-here"}, "account", "no such account", "sudo useradd "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			in := func(text string) string { return strings.ReplaceAll(text, "$DIR", h.dir) }
			h.doctor(c.setup, h.usual(c.arguments...)...).fails(t, c.check, in(c.found), in(c.fix))
		})
	}
}

// TestWorkFolders: the folder for jobs is looked at as an install would.
func TestWorkFolders(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		setup      string // in $BASE
		folder     string // below it
		found, fix string // sound without
	}{
		"not there":    {"", "new/jobs", "", ""},
		"another disk": {`mkdir "$BASE/w"; mount -t tmpfs -o mode=755 tmpfs "$BASE/w"`, "w/jobs", "", ""},
		"a disk of its own": {
			`mkdir "$BASE/w"; mount -t tmpfs -o mode=755,uid=65534 tmpfs "$BASE/w"; mkdir "$BASE/w/lost+found"`, "w", "", "",
		},
		"noexec":    {`mkdir "$BASE/w"; mount -t tmpfs -o noexec,mode=755 tmpfs "$BASE/w"`, "w/jobs", "mounted with noexec", "sudo mount -o remount,exec "},
		"read-only": {`mkdir "$BASE/w"; mount -t tmpfs -o ro,mode=755 tmpfs "$BASE/w"`, "w/jobs", "read-only", "sudo mount -o remount,rw "},
		"root's":    {`mkdir "$BASE/w"`, "w", "it does not belong to the account", "sudo chown nobody: "},
		"a file":    {`touch "$BASE/w"`, "w", "it is no folder", "--work _work"},
		"not empty": {`mkdir "$BASE/w"; touch "$BASE/w/precious"; chown nobody "$BASE/w"`, "w", `"precious" is in it`, "/w/actions-work"},
		"a link":    {`mkdir "$BASE/v"; ln -s v "$BASE/w"`, "w", "it is a link", "/v"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			got := h.doctor(c.setup, h.usual("--work", filepath.Join(h.base, c.folder))...)
			if c.found == "" {
				got.sound(t, "work")
				return
			}
			got.fails(t, "work", c.found, c.fix)
		})
	}
}

func TestNoSystemd(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	got := h.doctor("mount -t tmpfs tmpfs /run", "--dir", h.dir, "--user", "nobody")
	got.fails(t, "systemd", "only systemd is supported", "--no-service")
}

// TestSkewedClock: GitHub's answers come from ten minutes ahead.
func TestSkewedClock(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	to, err := url.Parse(h.server.URL())
	if err != nil {
		t.Fatal(err)
	}
	ahead := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) },
		ModifyResponse: func(r *http.Response) error {
			r.Header.Set("Date", time.Now().Add(10*time.Minute).UTC().Format(http.TimeFormat))
			return nil
		},
	}
	server := httptest.NewServer(ahead)
	t.Cleanup(server.Close)
	got := h.doctor("", h.usual("--url", server.URL+"/octo-org")...)
	got.fails(t, "clock", "behind GitHub's", "sudo timedatectl set-ntp true")
	got.sound(t, "tls", "token")
}

func TestWrongToken(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	wrong := h.write("wrong", "ghp_wrong")
	h.doctor("", h.usual("--token-file", wrong)...).fails(t, "token", "a classic token: ", "gh auth status")
	weak := h.write("weak", h.server.AddWeakToken("octo-org"))
	h.doctor("", h.usual("--token-file", weak)...).fails(t, "token", "a classic token: ", "gh auth refresh --scopes admin:org")
}

func TestProxyThatRefuses(t *testing.T) {
	t.Parallel()
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusProxyAuthRequired)
	}))
	t.Cleanup(refusing.Close)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + l.Addr().String()
	l.Close()
	for name, c := range map[string]struct{ proxy, found, fix string }{
		"wants a password": {refusing.URL, "refuses with status 407", "https_proxy=http://USER:PASSWORD@"},
		"is not there":     {closed, "cannot be reached", "curl -v --proxy " + closed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			h.environment = []string{"https_proxy=" + strings.Replace(c.proxy, "http://", "http://me:s3cr3t@", 1)}
			got := h.doctor("", h.usual("--url", "https://github.invalid/octo-org")...)
			got.fails(t, "proxy", c.found, c.fix)
			got.sound(t, "dns", "tls")
			for _, f := range got.findings {
				if strings.Contains(f.Object+f.Found+f.Fix, "s3cr3t") {
					t.Errorf("it tells the proxy's password: %+v", f)
				}
			}
		})
	}
}

// labelled copies the program and gives the copy a label.
func (h *host) labelled(label string) {
	h.t.Helper()
	text, err := os.ReadFile(h.program)
	if err != nil {
		h.t.Fatal(err)
	}
	h.program = h.write("bin/runner-bootstrap", string(text))
	if err := unix.Setxattr(h.program, "security.selinux", []byte(label+"\x00"), 0); err != nil {
		h.t.Skipf("files here take no label: %v", err)
	}
}

func TestSELinux(t *testing.T) {
	t.Parallel()
	const enforce = `mount -t tmpfs tmpfs /sys/fs; mkdir /sys/fs/selinux; echo -n 1 >/sys/fs/selinux/enforce`
	for kind, fails := range map[string]bool{"user_home_t": true, "user_tmp_t": true, "var_lib_t": true, "bin_t": false} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			h.labelled("unconfined_u:object_r:" + kind + ":s0")
			got := h.doctor(enforce, "--dir", h.dir, "--user", "nobody")
			if fails {
				got.fails(t, "selinux", "its label "+kind, "sudo install -m 755 "+h.program+" /usr/local/bin/")
				return
			}
			got.sound(t, "selinux")
			if f := got.of("selinux")[0]; f.State != "ok" {
				t.Errorf("got %+v", f)
			}
		})
	}
}

// TestRestorecon: a program that lies where programs do, with the label of another place.
func TestRestorecon(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.labelled("unconfined_u:object_r:user_home_t:s0")
	setup := `mount -t tmpfs tmpfs /sys/fs; mkdir /sys/fs/selinux; echo -n 1 >/sys/fs/selinux/enforce
mount --bind "$BASE/bin" /usr/local/bin`
	h.program = "/usr/local/bin/runner-bootstrap"
	h.doctor(setup, "--dir", h.dir, "--user", "nobody").fails(t, "selinux", "user_home_t", "sudo restorecon -Rv /usr/local/bin/runner-bootstrap")
}

// TestSquashedDirectory: root of a user namespace that knows no other account is root of a share that squashes root.
func TestSquashedDirectory(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	got := h.in([]string{"unshare", "--user", "--map-root-user", "--mount"}, "", h.usual()...)
	got.fails(t, "directories", "root cannot give files there to another account", "--dir DIR")
}

// holdPackages locks dpkg's database, whichever this host has, by a process of the test's.
const holdPackages = `
mount -t tmpfs tmpfs /var/lib; mkdir -p /var/lib/dpkg
mkfifo "$BASE/end"
RUNNER_BOOTSTRAP_TEST_LOCK=/var/lib/dpkg/lock-frontend "$TESTS" <"$BASE/end" &
exec 3>"$BASE/end"
tries=0
while [ ! -e /var/lib/dpkg/lock-frontend.held ]; do tries=$((tries+1)); [ $tries -lt 100 ]; sleep 0.1; done
after='exec 3>&-; wait'
`

// ourName is what the kernel calls a process of this test.
func ourName() string {
	name := filepath.Base(os.Args[0])
	return "(" + name[:min(len(name), 15)] + ")"
}

func TestLockedPackages(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	got := h.doctor(holdPackages, h.usual()...)
	all := got.of("packages")
	if len(all) != 1 || all[0].State != "warning" || all[0].Object != "/var/lib/dpkg/lock-frontend" ||
		!strings.Contains(all[0].Found, ourName()) || !strings.HasPrefix(all[0].Fix, "ps -fp ") {
		t.Errorf("got %+v", all)
	}
	// A command that wants to install something has to wait, and is told for whom.
	h = newHost(t)
	got = h.doctor(hideICU+holdPackages+release("debian"), h.usual("--fix", "--timeout", "6s")...)
	got.fails(t, "packages", "in use by process", "ps -fp ")
	got.fails(t, "libraries", "ICU", "/runner-bootstrap doctor")
	if fix := got.of("libraries")[0].Fix; strings.Count(fix, "--fix") != 1 {
		t.Errorf("the fix is not what was typed: %s", fix)
	}
	if !strings.Contains(got.stderr, "waiting for process ") || !strings.Contains(got.stderr, ourName()+", which holds /var/lib/dpkg/lock-frontend") {
		t.Errorf("it does not say for whom it waits: %s", got.stderr)
	}
}

// release makes the host one of a distribution.
func release(id string) string {
	return `echo ID=` + id + ` >"$BASE/os-release"; mount --bind "$BASE/os-release" "$(readlink -f /etc/os-release)"
`
}

// apt stands for the real one, which would need its archives: it says what it is told, and uncovers what is hidden.
const apt = `#!/bin/sh
echo "apt-get $*" >>"$0.log"
case " $* " in
*" update "*) [ ! -e "$0.broken" ] || { echo "E: no archive answers" >&2; exit 100; } ;;
*" install "*)
	env >>"$0.log"
	grep ' /[a-z0-9/_.-]*libicu\|ld.so.cache' /proc/self/mounts | while read -r source target rest; do umount "$target"; done ;;
esac
`

const aptCache = `#!/bin/sh
echo 'libicu9 - of old
libicu72 - International Components for Unicode
libicu71 - International Components for Unicode'
`

// ownApt puts both where they are found first.
const ownApt = `mount --bind "$BASE/apt" /usr/local/sbin
`

func TestFix(t *testing.T) {
	t.Parallel()
	if found, err := filepath.Glob("/usr/lib*/*/libicuuc.so.*"); err != nil || len(found) == 0 {
		t.Skip("there is no ICU to uncover")
	}
	h := newHost(t)
	h.write("apt/apt-get", apt)
	h.write("apt/apt-cache", aptCache)
	h.environment = []string{"GITHUB_TOKEN=ghp_of-somebody-else"}
	got := h.doctor(hideICU+release("debian")+ownApt, h.usual("--fix")...)
	got.sound(t, append(everywhere(), "libraries")...)
	if got.code != 0 {
		t.Errorf("exit code %d: %s", got.code, got.stderr)
	}
	log, err := os.ReadFile(filepath.Join(h.base, "apt/apt-get.log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"apt-get -q update\n", "install libicu72\n", "DEBIAN_FRONTEND=noninteractive\n"} {
		if !strings.Contains(string(log), want) {
			t.Errorf("the package manager was not told %q: %s", want, log)
		}
	}
	if strings.Contains(string(log), "ghp_") {
		t.Error("the package manager sees a credential")
	}
	if !strings.Contains(got.stderr, "apt-get -q update\n") || !strings.Contains(got.stderr, "install libicu72\n") || strings.Contains(got.stderr, "International") {
		t.Errorf("it does not say what it runs, or more: %s", got.stderr)
	}
	// Again: nothing is missing, so nothing is run.
	if again := h.doctor(release("debian")+ownApt, h.usual("--fix")...); again.code != 0 || !strings.Contains(again.stderr, "no library is missing") {
		t.Errorf("a second time: exit code %d: %s", again.code, again.stderr)
	}
}

func TestFixThatFails(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.write("apt/apt-get", apt)
	h.write("apt/apt-get.broken", "")
	got := h.doctor(hideICU+release("debian")+ownApt, h.usual("--fix")...)
	if got.code != 3 || !strings.Contains(got.stderr, "E: no archive answers") || !strings.Contains(got.stderr, "the package manager has failed") {
		t.Errorf("exit code %d, want 3 and what it said: %s", got.code, got.stderr)
	}
	got = newHost(t).doctor(hideICU+release("alpine"), h.usual("--fix")...)
	if got.code != 3 || !strings.Contains(got.stderr, "no package manager that is known here (alpine)") {
		t.Errorf("exit code %d, want 3 and the name: %s", got.code, got.stderr)
	}
}
