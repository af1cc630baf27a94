package doctor

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// ownHome gives the account nobody a home on a file system of its own.
func ownHome(options string) string {
	return `sed "s#^\(nobody:.*\):[^:]*:\([^:]*\)\$#\1:$BASE/home:\2#" /etc/passwd >"$BASE/passwd"
mount --bind "$BASE/passwd" /etc/passwd
mkdir "$BASE/home"; mount -t tmpfs -o ` + options + `,mode=755,uid=65534,gid=65534 tmpfs "$BASE/home"
`
}

// fstab gives the host a table of file systems, of one that is not mounted.
func fstab(line string) string {
	return `touch "$BASE/fstab" && echo "` + line + `" >"$BASE/fstab"; mount --bind "$BASE/fstab" /etc/fstab
`
}

// TestWarnings are hosts on which an install goes well, and something does not later. No warning makes a host unhealthy.
func TestWarnings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		setup, check, found, fix string // no warning if found is empty
	}{
		"a home without programs": {
			ownHome("noexec"), "account", `install in its home "$BASE/home" cannot be started: it is mounted with noexec`,
			"sudo mount -o remount,exec $BASE/home",
		},
		"a home with programs": {ownHome("exec"), "account", "", ""},
		"a disk that is not mounted": {
			fstab("/dev/disk/by-label/none $DIR ext4 nofail 0 2"), "directories", "/etc/fstab has something for it that is not mounted", "sudo mount $DIR",
		},
		"a disk above it, with a slash": {
			fstab("UUID=0123 $BASE/ ext4 nofail 0 2"), "directories", "/etc/fstab has something for it that is not mounted", "sudo mount $BASE",
		},
		"a disk that is mounted": {
			fstab("/dev/disk/by-label/none $DIR/ ext4 nofail 0 2") + `mount -t tmpfs -o size=16g,mode=755 tmpfs "$DIR"`, "directories", "", "",
		},
		"a disk for others": {fstab("/dev/disk/by-label/none $BASE/elsewhere ext4 nofail 0 2"), "directories", "", ""},
		"switched off":      {fstab("#/dev/disk/by-label/none $DIR ext4 nofail 0 2"), "directories", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			filled := strings.NewReplacer("$BASE", h.base, "$DIR", h.dir)
			got := h.doctor(c.setup, h.usual()...)
			if got.code != 0 {
				t.Errorf("exit code %d: %s", got.code, got.stderr)
			}
			if c.found == "" {
				got.sound(t, c.check)
				return
			}
			if !slices.ContainsFunc(got.of(c.check), func(f finding) bool {
				return f.State == "warning" && strings.Contains(f.Found, filled.Replace(c.found)) && f.Fix == filled.Replace(c.fix)
			}) {
				t.Errorf("no warning of %q with the fix %q: %+v", c.found, c.fix, got.of(c.check))
			}
		})
	}
}

// TestJail: doctor says what would confine jobs on a host, and what that leaves open, and leaves nothing of its trial.
func TestJail(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	temporary := t.TempDir() // other tests look at hosts at the same time
	own := []string{"env", "TMPDIR=" + temporary}
	names := func() []string {
		left, err := filepath.Glob(filepath.Join(temporary, "*"))
		if err != nil {
			t.Fatal(err)
		}
		return left
	}
	whole := h.in(own, "", h.usual()...).of("jail")
	if len(whole) != 1 || whole[0].State != "ok" || whole[0].Object != "namespaces" || !strings.Contains(whole[0].Found, "system calls are not filtered") {
		t.Errorf("as root: %+v", whole)
	}
	// As in most containers.
	without := append(slices.Clone(own), "setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin")
	got := h.in(without, "", h.usual()...)
	bound := got.of("jail")
	if got.code != 0 || len(bound) != 1 || bound[0].State != "warning" || bound[0].Object != "descendants" ||
		!strings.Contains(bound[0].Found, "lets nobody have namespaces") || !strings.HasPrefix(bound[0].Fix, "unshare ") {
		t.Errorf("without CAP_SYS_ADMIN: exit code %d, %+v", got.code, bound)
	}
	if left := names(); len(left) > 0 {
		t.Errorf("it left %q", left)
	}
}

// TestInstallWarns: the plan of an install says the same, and what --allow would not give.
func TestInstallWarns(t *testing.T) {
	t.Parallel()
	const sudo = `mkdir "$BASE/sudo"; mount -t tmpfs -o OPTION tmpfs "$BASE/sudo"
printf '#!/bin/sh\n' >"$BASE/sudo/sudo"; chmod 755 "$BASE/sudo/sudo"; PATH="$BASE/sudo:$PATH"
`
	for name, c := range map[string]struct {
		setup     string
		arguments []string
		want      string // no warning if empty
	}{
		"a home without programs": {ownHome("noexec"), nil, "it is mounted with noexec; to mend it: sudo mount -o remount,exec $BASE/home"},
		"a home with programs":    {ownHome("exec"), nil, ""},
		"sudo without its powers": {
			strings.ReplaceAll(sudo, "OPTION", "nosuid"),
			[]string{"--allow", "sudo"},
			`sudo will not work for jobs: "$BASE/sudo/sudo" is on a file system that is mounted with nosuid; to mend it: sudo mount -o remount,suid $BASE/sudo`,
		},
		"sudo that nobody wants": {strings.ReplaceAll(sudo, "OPTION", "nosuid"), nil, ""},
		"sudo":                   {strings.ReplaceAll(sudo, "OPTION", "suid"), []string{"--allow", "sudo"}, ""},
		"no sudo":                {`PATH="$BASE"`, []string{"--allow", "sudo"}, "jobs are to have sudo, and sudo is not installed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			h.server.AddGroup("octo-org", "builders")
			archive := h.write("actions-runner-linux-x64-2.337.0.tar.gz", "") // nothing is fetched for a plan
			arguments := append([]string{
				"install", "--dry-run", "--json", "--metadata", "off", "--archive", archive, "--sha256", strings.Repeat("0", 64),
			}, c.arguments...)
			out, got := h.run([]string{"unshare", "--mount", "--propagation", "private"}, c.setup, append(arguments, h.usual()...)...)
			var plan struct{ Warnings []string }
			if err := json.Unmarshal(out, &plan); err != nil {
				t.Fatalf("exit code %d, %v: %s%s", got.code, err, out, got.stderr)
			}
			want := strings.ReplaceAll(c.want, "$BASE", h.base)
			told := slices.ContainsFunc(plan.Warnings, func(w string) bool { return strings.Contains(w, want) })
			if c.want == "" && len(plan.Warnings) > 0 || !told && c.want != "" {
				t.Errorf("the warnings are %q, want %q", plan.Warnings, want)
			}
		})
	}
}
