package sealcheck_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/sealcheck"
)

// What each machine makes again goes; what people have made stays, and refuses.
func TestFix(t *testing.T) {
	t.Parallel()
	id := strings.Repeat("0a", 16) + "\n"
	type thing struct {
		file, text string
		goes       bool
		asked      bool // goes only with the identity
	}
	things := []thing{
		{"var/lib/cloud/instances/i-1/user-data.txt", token(), true, false},
		{"var/lib/cloud/instances/i-1/sem/x", "x", true, false},
		{"var/lib/cloud/data/x", "x", true, false},
		{"var/lib/cloud/_doomed.ABC/x", token(), true, false}, // a removal that was cut off
		{"var/lib/cloud/seed/nocloud/user-data", token(), false, false},
		{"var/lib/cloud/scripts/per-boot/x", "x", false, false},
		{"var/log/cloud-init-output.log", token(), true, false},
		{"var/log/journal/1/system.journal", "LPKSHHRH\x00" + token(), true, false},
		{"var/log/auth.log.2.gz", zipped(t, token()), true, false},
		{"var/log/clean.log", "x", false, false},
		{"var/lib/systemd/coredump/core.1", "x", true, false},
		{"tmp/x", token(), true, false},
		{"var/tmp/x", token(), false, false},
		{"root/.bash_history", token(), false, false},
		{"root/token", token(), false, false},
		{"home/x/.ssh/id_rsa", pem("RSA "), false, false},
		{"home/x/r/.runner", `{"agentId": 1}`, false, false},
		{"home/x/core", "\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 9) + "\x04\x00" + strings.Repeat("\x00", 64), false, false},
		{"etc/machine-id", id, true, true},
		{"var/lib/dbus/machine-id", id, true, true},
		{"etc/ssh/ssh_host_rsa_key", pem("OPENSSH "), true, true},
		{"etc/ssh/ssh_host_rsa_key.pub", "ssh-rsa x", true, true},
		{"etc/ssh/sshd_config", "x", false, false},
		{"etc/ssl/private/ssl-cert-snakeoil.key", pem(""), false, false},
		{"var/lib/systemd/random-seed", "x", true, true},
		{"var/lib/docker/engine-id", uuid, true, true},
		{"var/lib/dhcpcd/duid", "00:01", true, true},
		{"etc/dropbear/dropbear_rsa_host_key", "x", false, false},
		{"etc/lvm/devices/system.devices", "IDTYPE=x", false, false},
	}
	for name, identity := range map[string]bool{"as it is": false, "with the identity": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for _, c := range things {
				write(t, filepath.Join(dir, c.file), c.text)
			}
			host := sealcheck.Host{Folders: []string{dir}, System: dir}
			removed, err := host.Fix(t.Context(), look(t, host), identity)
			if err != nil || len(removed) == 0 {
				t.Fatalf("removed %q, %v", removed, err)
			}
			for _, c := range things {
				text, err := os.ReadFile(filepath.Join(dir, c.file))
				if gone := errors.Is(err, fs.ErrNotExist) || len(text) == 0; gone != (c.goes && (identity || !c.asked)) {
					t.Errorf("%s is gone: %v", c.file, gone)
				}
			}
			info, err := os.Stat(filepath.Join(dir, "etc/machine-id"))
			if err != nil || identity != (info.Size() == 0 && info.Mode().Perm() == 0o444) {
				t.Errorf("the machine's id: %v, %v", info, err)
			}
			report := look(t, host)
			for _, f := range report.Findings {
				if f.Fix != "" && (identity || f.Kind != sealcheck.Identity) {
					t.Errorf("left is %+v", f)
				}
			}
			again, err := host.Fix(t.Context(), report, identity)
			if err != nil || len(again) != 0 {
				t.Errorf("again: removed %q, %v", again, err)
			}
		})
	}
}

// What is excepted is no more removed than it is told.
func TestFixLeavesWhatIsExcepted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "var/log/x")
	write(t, path, token())
	host := sealcheck.Host{Folders: []string{dir}, System: dir, Except: []string{filepath.Dir(path)}}
	removed, err := host.Fix(t.Context(), look(t, host), true)
	if err != nil || len(removed) > 0 {
		t.Errorf("removed %q, %v", removed, err)
	}
}

// It goes on past what will not go, and says so.
func TestFixThatFails(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("root removes everything")
	}
	if runtime.GOOS == "windows" {
		t.Skip("a mode keeps nobody out")
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "var/log/closed/x"), token())
	write(t, filepath.Join(dir, "var/log/open"), token())
	if err := os.Chmod(filepath.Join(dir, "var/log/closed"), 0o500); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.Chmod(filepath.Join(dir, "var/log/closed"), 0o700) }() //nolint:gosec // a folder of the test's
	host := sealcheck.Host{Folders: []string{dir}, System: dir}
	removed, err := host.Fix(t.Context(), look(t, host), false)
	if !errors.Is(err, fs.ErrPermission) || !slices.Equal(removed, []string{filepath.Join(dir, "var/log/open")}) {
		t.Errorf("removed %q, %v", removed, err)
	}
}

// What cannot be read is a finding that refuses.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("root reads everything")
	}
	if runtime.GOOS == "windows" {
		t.Skip("a mode keeps nobody out")
	}
	dir := t.TempDir()
	for name, closed := range map[string]string{"file": "etc/closed", "folder": "srv"} {
		write(t, filepath.Join(dir, "etc/closed"), "x")
		write(t, filepath.Join(dir, "srv/x"), "x")
		if err := os.Chmod(filepath.Join(dir, closed), 0); err != nil {
			t.Fatal(err)
		}
		report := look(t, sealcheck.Host{Folders: []string{dir}, System: dir})
		if len(report.Refusing()) != 1 || report.Findings[0].Kind != sealcheck.Unread || report.Findings[0].Path != filepath.Join(dir, closed) {
			t.Errorf("%s: found %+v", name, report.Findings)
		}
		if err := os.Chmod(filepath.Join(dir, closed), 0o700); err != nil { //nolint:gosec // a folder of the test's
			t.Fatal(err)
		}
	}
}
