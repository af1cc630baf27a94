package doctor

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestOddFileSystems are of programs that are not everywhere, and of kinds that lack something.
func TestOddFileSystems(t *testing.T) {
	t.Parallel()
	const image = `truncate -s 64m "$BASE/image"; `
	const bindfs = `mkdir "$BASE/x"; bindfs OPTION "$BASE/x" "$DIR"; after='umount -l "$DIR"'`
	ntfs := func(options string) string {
		return image + `mkntfs -F -q "$BASE/image" >/dev/null 2>&1; ntfs-3g -o ` + options + ` "$BASE/image" "$DIR"; after='umount -l "$DIR"'`
	}
	for name, c := range map[string]struct {
		program, setup string
		found          []string // sound without
	}{
		"as good as any":            {"bindfs", strings.ReplaceAll(bindfs, "OPTION", ""), nil},
		"no modes":                  {"bindfs", strings.ReplaceAll(bindfs, "OPTION", "--chmod-ignore -p 0755"), []string{"no modes: a file that was given mode 0600 has 0755"}},
		"no modes, and it says so":  {"bindfs", strings.ReplaceAll(bindfs, "OPTION", "--chmod-deny"), []string{"no modes: operation not permitted"}},
		"no owners":                 {"bindfs", strings.ReplaceAll(bindfs, "OPTION", "--chown-deny"), []string{"root cannot give files there to another account"}},
		"nothing can be replaced":   {"bindfs", strings.ReplaceAll(bindfs, "OPTION", "--rename-deny"), []string{"no file can take the place of another"}},
		"nothing can be removed":    {"bindfs", strings.ReplaceAll(bindfs, "OPTION", "--delete-deny"), []string{"no file can "}},
		"for root alone":            {"bindfs", strings.ReplaceAll(bindfs, "OPTION", "--no-allow-other"), []string{"programs cannot be started there: permission denied"}},
		"another system's":          {"ntfs-3g", ntfs("umask=022,allow_other"), []string{"no modes", "free, about"}},
		"names of one case, better": {"lowntfs-3g", strings.ReplaceAll(ntfs("permissions,ignore_case"), "; ntfs-3g", "; lowntfs-3g") + `; chmod 755 "$DIR"`, []string{"names that differ by case alone are the same", "free, about"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			if _, err := exec.LookPath(c.program); err != nil {
				t.Skip(err) // the kinds that the kernel has are in TestBrokenHosts
			}
			got := h.doctor(c.setup, h.usual()...)
			var found []string
			for _, f := range got.findings {
				if slices.Contains([]string{"disk", "directories"}, f.Check) && f.State != "ok" {
					found = append(found, f.Found)
				}
			}
			for _, want := range c.found {
				if !slices.ContainsFunc(found, func(text string) bool { return strings.Contains(text, want) }) {
					t.Errorf("it found %q, want %q: %s", found, want, got.stderr)
				}
			}
			if len(c.found) == 0 && len(found) > 0 {
				t.Errorf("it found %q", found)
			}
		})
	}
}

// TestRefusedBeforeTheDownload: what doctor finds, an install and a prepare end with, before anything is fetched or made.
func TestRefusedBeforeTheDownload(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		setup    string
		commands []string
		words    string
	}{
		"read-only":     {`mount -t tmpfs -o ro,mode=755 tmpfs "$DIR"`, []string{"install", "prepare"}, `the file system is read-only (tmpfs, mounted at "$DIR")`},
		"noexec":        {`mount -t tmpfs -o size=16g,noexec,mode=755 tmpfs "$DIR"`, []string{"install"}, `it is mounted with noexec (tmpfs, mounted at "$DIR")`},
		"inodes":        {`mount -t tmpfs -o size=16g,nr_inodes=100,mode=755 tmpfs "$DIR"`, []string{"install", "prepare"}, `can hold no more files: `},
		"the kernel's":  {`mount -t proc proc "$DIR"`, []string{"install", "prepare"}, `no file can be made: no such file or directory (proc, `},
		"a file system": {`mount -t tmpfs -o ro,mode=755 tmpfs "$DIR"`, []string{"install --dry-run"}, `the file system is read-only (tmpfs, mounted at "$DIR")`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			archive := h.write("actions-runner-linux-x64-2.337.0.tar.gz", "") // nothing is read from it
			for _, command := range c.commands {
				arguments := append(strings.Fields(command), h.usual("--archive", archive, "--sha256", strings.Repeat("0", 64))...)
				if command == "prepare" {
					arguments = slices.DeleteFunc(arguments, func(word string) bool { return slices.Contains([]string{"--no-service", "--user", "nobody"}, word) })
				}
				_, got := h.run([]string{"unshare", "--mount", "--propagation", "private"}, c.setup, arguments...)
				if want := strings.ReplaceAll(c.words, "$DIR", h.dir); got.code != 3 || !strings.Contains(strings.ReplaceAll(got.stderr, `\"`, `"`), want) {
					t.Errorf("%s: exit code %d, want 3 and %q: %s", command, got.code, want, got.stderr)
				}
			}
			if left, err := os.ReadDir(h.dir); err != nil || len(left) > 0 {
				t.Errorf("it left %v, %v", left, err)
			}
		})
	}
}
