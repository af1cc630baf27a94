package sealcheck

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const sampleMounts = `22 1 0:21 /@ / rw,relatime shared:1 - btrfs /dev/vda2 rw,subvol=/@
23 22 0:22 / /proc rw - proc proc rw
24 22 0:21 /@/home /home rw - btrfs /dev/vda2 rw,subvol=/@/home
25 22 0:21 /@/var /var rw - btrfs /dev/vda2 rw
26 22 253:1 / /boot\040x rw - vfat /dev/vda1 rw
27 22 253:9 / /data rw - btrfs /dev/vdb rw
28 22 0:30 / /run rw - tmpfs tmpfs rw
29 28 253:9 / /run rw - ext4 /dev/vdc rw
30 22 253:5 /a b /odd　place rw - ext4 /dev/vdd rw
rubbish
`

func TestMounts(t *testing.T) {
	t.Parallel()
	all := parseMounts([]byte(sampleMounts))
	if parts := partsIn(all, []string{"/"}); !slices.Equal(parts, []string{"/home", "/var"}) {
		t.Errorf("parts %q", parts)
	}
	if parts := partsIn(all, []string{"/data", "/none"}); len(parts) > 0 {
		t.Errorf("parts %q", parts)
	}
	for where, want := range map[string]string{
		"/proc": "", "/boot x": "another file system is mounted there (vfat of /dev/vda1)", "/none": "another file system is mounted there",
		"/run":            "another file system is mounted there (ext4 of /dev/vdc)",
		"/odd\u3000place": "another file system is mounted there (ext4 of /dev/vdd)",
	} {
		if got := mountIn(all, where); got != want {
			t.Errorf("%s: %q, want %q", where, got, want)
		}
	}
}

// A real mount is not entered, and named; a pipe is not waited for.
func TestRealMount(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root mounts")
	}
	if os.Getenv("SEALCHECK_MOUNTED") == "" {
		cmd := exec.CommandContext(t.Context(), "unshare", "--mount", os.Args[0], "-test.run", "^TestRealMount$", "-test.v") //nolint:gosec // this test
		cmd.Env = append(os.Environ(), "SEALCHECK_MOUNTED=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	dir := t.TempDir()
	data, secret := filepath.Join(dir, "data"), "gh"+"p_0123456789abcdefghijklmnopqrstuvwxyz"
	for _, err := range []error{
		os.Mkdir(data, 0o700), os.Mkdir(filepath.Join(dir, "memory"), 0o700), os.Mkdir(filepath.Join(dir, "source"), 0o700),
		unix.Mkfifo(filepath.Join(dir, "pipe"), 0o600), os.WriteFile(filepath.Join(dir, "source/x"), []byte(secret), 0o600),
		unix.Mount(filepath.Join(dir, "source"), data, "", unix.MS_BIND, ""), unix.Mount("x", filepath.Join(dir, "memory"), "tmpfs", 0, ""),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	defer func() {
		for _, at := range []string{data, filepath.Join(dir, "memory")} {
			if err := unix.Unmount(at, 0); err != nil {
				t.Error(err)
			}
		}
	}()
	began := time.Now()
	report, err := Host{Folders: []string{dir}, System: dir}.Look(t.Context())
	if err != nil || len(report.Findings) != 1 || report.Findings[0].Path != filepath.Join(dir, "source/x") || time.Since(began) > 10*time.Second {
		t.Errorf("found %+v, %v", report.Findings, err)
	}
	if len(report.NotLooked) != 1 || report.NotLooked[0].Path != data || !strings.HasPrefix(report.NotLooked[0].Why, "another file system") {
		t.Errorf("not looked at %+v", report.NotLooked)
	}
}

// A tree that is nested without an end is named, and no crash.
func TestDeep(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, strings.Repeat("d/", maxDepth+5)), 0o700); err != nil {
		t.Fatal(err)
	}
	report, err := Host{Folders: []string{dir}}.Look(t.Context())
	if err != nil || len(report.Findings) != 1 || report.Findings[0].Kind != Unread {
		t.Errorf("found %+v, %v", report.Findings, err)
	}
}
