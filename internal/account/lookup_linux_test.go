package account

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// place is a database of a test: two files, and the programs that there are.
func place(t *testing.T, programs map[string]string) database {
	t.Helper()
	dir := t.TempDir()
	d := database{
		passwd: filepath.Join(dir, "passwd"), group: filepath.Join(dir, "group"),
		folders: []string{filepath.Join(dir, "none"), dir}, patience: time.Minute,
	}
	files := map[string]string{
		d.passwd: "root:x:0:0:root:/root:/bin/bash\n# old:x:7:7::/:/bin/sh\n+::::::\nshort:x:8\nlocal:x:1001:1002:Local,,,:/home/local:/bin/bash\n" +
			"sys:x:1003:1003::/:/usr/sbin/nologin\nkeep:x:4294967295:1::/:/bin/sh\nlast:x:1004:1004::/home/last:",
		d.group: "root:x:0:\nlocal:x:1002:\ndocker:x:998:other,local\nlocals:x:997:locals\n+:::\n",
	}
	for name, text := range files {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, script := range programs {
		// While nobody starts a child: in one that has it open for writing, for a moment, it cannot be started.
		syscall.ForkLock.RLock()
		err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700)
		syscall.ForkLock.RUnlock()
		if err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// directory answers as getent does where a directory knows what the file does not,
// and says what it was asked.
const directory = `
	[ -z "$RUNNER_BOOTSTRAP_TOKEN$HOME" ] || exit 9
	[ "$1" = -- ] && shift
	[ "$1" = passwd ] && [ $# = 2 ] || exit 1
	case $2 in
	ciuser) echo 'ciuser:*:60001:60002:CI:/home/ciuser:/usr/sbin/nologin' ;;
	ci@corp.test | 'CORP\CI' | Ci@Corp.Test) echo 'ci@corp.test:*:60003:60002:CI:/home/corp.test/ci:/bin/bash' ;;
	-dash) echo '-dash:*:60004:60004::/home/dash:/bin/sh' ;;
	60001) echo 'ciuser:*:60001:60002:CI:/home/ciuser:/usr/sbin/nologin' ;;
	60005) echo '60005:*:70000:70000:named like a number:/home/n:/bin/sh' ;;
	4294967296 | +0 | -0 | ' 0') echo 'root:x:0:0:root:/root:/bin/bash' ;;
	minus) echo 'minus:*:4294967295:60002::/:/bin/sh' ;;
	few) echo 'few:*:60009' ;;
	word) echo 'word:*:sixty:60002::/:/bin/sh' ;;
	none) ;;
	broken) echo 'cannot reach the server' >&2; exit 3 ;;
	*) exit 2 ;;
	esac`

// groups answers as id -G does.
const groups = `
	[ "$1" = -G ] && [ "$2" = -- ] && [ $# = 3 ] || exit 1
	case $3 in
	ciuser) echo 60002 998 60010 ;;
	ci@corp.test) echo 998 60002 998 ;;
	-dash) echo 60004 ;;
	60005) echo 70000 ;;
	local) echo 1002 998 60010 ;;
	*) echo "id: '$3': no such user" >&2; exit 1 ;;
	esac`

func TestNamed(t *testing.T) {
	t.Parallel()
	d := place(t, map[string]string{"getent": directory, "id": groups})
	for _, c := range []struct {
		asked  string
		name   string
		uid    int
		groups []int
	}{
		{"local", "local", 1001, []int{1002, 998, 60010}},
		{"ciuser", "ciuser", 60001, []int{60002, 998, 60010}},
		{"ci@corp.test", "ci@corp.test", 60003, []int{60002, 998}},
		{`CORP\CI`, "ci@corp.test", 60003, []int{60002, 998}},
		{"Ci@Corp.Test", "ci@corp.test", 60003, []int{60002, 998}},
		{"-dash", "-dash", 60004, []int{60004}},
		{"60001", "ciuser", 60001, []int{60002, 998, 60010}}, // the number of an account
		{"60005", "60005", 70000, []int{70000}},              // and the name of one
		{"1001", "local", 1001, []int{1002, 998, 60010}},
	} {
		u, err := d.named(c.asked)
		if err != nil || u.Name != c.name || u.UID != c.uid || !slices.Equal(u.Groups, c.groups) || u.Doubt != nil {
			t.Errorf("%q: %+v, %v, want %s, uid %d, groups %v", c.asked, u, err, c.name, c.uid, c.groups)
		}
	}
}

// What getent takes for another account, or for none, is none.
func TestNamedIsNobody(t *testing.T) {
	t.Parallel()
	d := place(t, map[string]string{"getent": directory, "id": groups})
	for _, name := range []string{
		"nobody-here", "4294967296", "4294967295", "+0", "-0", " 0", "none", "--help", "-s", "local:x", "local\nroot", "a\x00b", "#old", "+", "short", "Local",
	} {
		if u, err := d.named(name); !errors.Is(err, ErrAbsent) {
			t.Errorf("%q: %+v, %v, want no such account", name, u, err)
		}
	}
	_, err := d.named("nobody-here")
	if err == nil || !strings.Contains(err.Error(), "in "+d.passwd) || !strings.Contains(err.Error(), "getent") {
		t.Errorf("%v does not say where it was looked", err)
	}
}

func TestNamedUnanswered(t *testing.T) {
	t.Parallel()
	d := place(t, map[string]string{"getent": directory, "id": groups})
	for name, want := range map[string]string{
		"broken": "cannot reach the server", "minus": "4294967295", "few": "3 fields", "word": "sixty",
	} {
		if u, err := d.named(name); !errors.Is(err, ErrUnanswered) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %+v, %v, want a word of %q", name, u, err, want)
		}
	}
	// One of the directory's whose groups nobody tells: half an account is none.
	d = place(t, map[string]string{"getent": directory, "id": "echo half >&2; exit 1"})
	if u, err := d.named("ciuser"); !errors.Is(err, ErrUnanswered) || !strings.Contains(err.Error(), "half") {
		t.Errorf("without its groups: %+v, %v", u, err)
	}
}

// A directory that does not answer is waited for, and not for ever.
func TestNamedHangs(t *testing.T) {
	t.Parallel()
	d := place(t, map[string]string{"getent": "exec sleep 60", "id": "sleep 60 & exec sleep 60"})
	d.patience = 300 * time.Millisecond
	began := time.Now()
	if _, err := d.named("ciuser"); !errors.Is(err, ErrUnanswered) || !strings.Contains(err.Error(), "no answer within 300ms") {
		t.Errorf("%v", err)
	}
	// The host's own account goes on with the groups of the file, and says so.
	u, err := d.named("local")
	if err != nil || !slices.Equal(u.Groups, []int{1002, 998}) || u.Doubt == nil || !strings.Contains(u.Doubt.Error(), "no answer") {
		t.Errorf("%+v, %v", u, err)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
}

// Without these programs the files are all there is.
func TestNamedByFilesAlone(t *testing.T) {
	t.Parallel()
	d := place(t, nil)
	u, err := d.named("local")
	if err != nil || u.UID != 1001 || u.Home != "/home/local" || !slices.Equal(u.Groups, []int{1002, 998}) || u.Doubt != nil {
		t.Errorf("%+v, %v", u, err)
	}
	if u, err := d.named("last"); err != nil || u.UID != 1004 || !slices.Equal(u.Groups, []int{1004}) {
		t.Errorf("a last line without an end and a shell: %+v, %v", u, err)
	}
	for _, name := range []string{"ciuser", "keep", "+"} {
		if u, err := d.named(name); !errors.Is(err, ErrAbsent) || strings.Contains(err.Error(), "getent") {
			t.Errorf("%q: %+v, %v", name, u, err)
		}
	}
	if err := os.Remove(d.passwd); err != nil {
		t.Fatal(err)
	}
	if _, err := d.named("local"); !errors.Is(err, ErrAbsent) {
		t.Errorf("without any file: %v", err)
	}
}

// A container may give the process a number that has no name.
func TestSelfWithoutAName(t *testing.T) {
	t.Parallel()
	uid := os.Geteuid()
	for name, programs := range map[string]map[string]string{
		"nobody knows it": {"getent": "exit 2"}, "no programs": nil, "a directory that is away": {"getent": "exit 3"},
	} {
		d := place(t, programs)
		if err := os.WriteFile(d.passwd, []byte("other:x:54321:54321::/:/bin/sh\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		u, err := d.self()
		if err != nil || u.Name != strconv.Itoa(uid) || u.UID != uid || u.GID != os.Getegid() || u.Home != "" || !u.Self {
			t.Errorf("%s: %+v, %v", name, u, err)
		}
		if len(u.Groups) == 0 || u.Groups[0] != os.Getegid() {
			t.Errorf("%s: its groups are %v", name, u.Groups)
		}
	}
	d := place(t, map[string]string{"getent": "echo me:x:" + strconv.Itoa(uid) + ":77::/home/me:/bin/sh"})
	if err := os.WriteFile(d.passwd, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if u, err := d.self(); err != nil || u.Name != "me" || u.Home != "/home/me" || u.GID != os.Getegid() {
		t.Errorf("one of a directory: %+v, %v", u, err)
	}
}

// The real programs, which every test host of ours has, agree with the file.
func TestLookupByTheRealPrograms(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"root", "0"} {
		if u, err := Lookup(name); err != nil || u.UID != 0 || u.Name != "root" || u.Home != "/root" || u.Groups[0] != 0 {
			t.Errorf("%q: %+v, %v", name, u, err)
		}
	}
	for _, name := range []string{"4294967296", "--help", "-", "no such account", `CORP\nobody-here`, "nobody@no-such-domain.test"} {
		if u, err := Lookup(name); !errors.Is(err, ErrAbsent) {
			t.Errorf("%q: %+v, %v, want no such account", name, u, err)
		}
	}
}

func TestMember(t *testing.T) {
	t.Parallel()
	d := place(t, nil)
	for _, c := range []struct {
		user       User
		group      string
		is, exists bool
	}{
		{User{UID: 5, GID: 5, Groups: []int{5, 998}}, "docker", true, true},
		{User{UID: 5, GID: 998}, "docker", true, true},
		{User{UID: 5, GID: 5, Groups: []int{5, 997}}, "docker", false, true},
		{User{UID: 5, GID: 5}, "no-such-group", false, false},
	} {
		if is, exists := d.member(c.user, c.group); is != c.is || exists != c.exists {
			t.Errorf("%+v in %q: %v, %v", c.user, c.group, is, exists)
		}
	}
}

func TestPowers(t *testing.T) {
	t.Parallel()
	d := place(t, nil)
	for want, u := range map[string]User{
		"": {UID: 5, GID: 5, Groups: []int{5, 997}}, "docker": {UID: 5, GID: 5, Groups: []int{5, 998}}, "root": {UID: 5, GID: 0},
		"root docker": {UID: 5, GID: 998, Groups: []int{998, 0}},
	} {
		if got := strings.Join(d.powers(u), " "); got != want {
			t.Errorf("%+v has %q, want %q", u, got, want)
		}
	}
}

func FuzzParseAccount(f *testing.F) {
	f.Add("root:x:0:0:root:/root:/bin/bash")
	f.Add("a:b:4294967295:1:::")
	f.Fuzz(func(t *testing.T, line string) {
		u, err := parseAccount(line)
		if err == nil && (u.Name == "" || u.UID < 0 || u.GID < 0 || int64(u.UID) > 1<<32-2 || int64(u.GID) > 1<<32-2) {
			t.Errorf("%q is %+v", line, u)
		}
	})
}
