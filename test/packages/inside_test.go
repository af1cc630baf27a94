//go:build e2e && linux

package packages

import (
	"bytes"
	"compress/gzip"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// wanted are the files of a package of this kind with their modes, as "-rwxr-xr-x /usr/bin/runner-bootstrap".
func wanted(t *testing.T, packager string) []string {
	t.Helper()
	var files []string
	for _, c := range nfpm(t).Contents {
		if c.Packager == "" || c.Packager == packager {
			files = append(files, fs.FileMode(c.FileInfo.Mode).String()+" "+c.Dst)
		}
	}
	slices.Sort(files)
	return files
}

func compare(t *testing.T, name string, got, want []string) {
	t.Helper()
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("%s holds\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// insideDeb: contents, owners, what may be edited, and what Debian's judge says.
func insideDeb(t *testing.T, out string) {
	for arch, debian := range map[string]string{"amd64": "amd64", "arm64": "arm64", "armv7": "armhf"} {
		file := filepath.Join(out, "runner-bootstrap_linux_"+arch+".deb")
		var got []string
		for line := range strings.Lines(command(t, "dpkg-deb", "--contents", file)) {
			fields := strings.Fields(line)
			if fields[1] != "root/root" {
				t.Errorf("%s: %s belongs to %s", arch, fields[5], fields[1])
			}
			if !strings.HasPrefix(fields[0], "d") {
				got = append(got, fields[0]+" "+strings.TrimPrefix(fields[5], "."))
			}
		}
		compare(t, file, got, wanted(t, "deb"))
		if control := command(t, "dpkg-deb", "--field", file, "Architecture", "Version"); control != "Architecture: "+debian+"\nVersion: 1.0.0\n" {
			t.Errorf("%s: %s", file, control)
		}
		if conffiles := command(t, "dpkg-deb", "--info", file, "conffiles"); conffiles != "/etc/runner-bootstrap/config.yaml\n" {
			t.Errorf("%s: what may be edited is %q", file, conffiles)
		}
	}
	said := command(t, "lintian", "--allow-root", "--fail-on", "none", filepath.Join(out, "runner-bootstrap_linux_amd64.deb"))
	t.Logf("lintian:\n%s", said)
	if strings.Contains("\n"+said, "\nE: ") {
		t.Errorf("lintian finds errors:\n%s", said)
	}
}

// insideRPM: contents, digests, and an installation into an empty root.
func insideRPM(t *testing.T, out string) {
	for arch, theirs := range map[string]string{"amd64": "x86_64", "arm64": "aarch64", "armv7": "armv7hl"} {
		file := filepath.Join(out, "runner-bootstrap_linux_"+arch+".rpm")
		listing := command(t, "rpm", "-qp", "--queryformat", `[%{FILEMODES:perms} %{FILENAMES}\n]`, file)
		compare(t, file, strings.Split(strings.TrimSpace(listing), "\n"), wanted(t, "rpm"))
		if got := command(t, "rpm", "-qp", "--queryformat", `%{ARCH} %{VERSION} %{BUILDTIME} %{BUILDHOST}`, file); got != theirs+" 1.0.0 "+epoch+" localhost" {
			t.Errorf("%s: %s", file, got)
		}
		// The flags say that it may be edited, and that an edited one stays.
		if got := command(t, "rpm", "-qp", "--queryformat", `[%{FILEFLAGS:fflags} %{FILENAMES}\n]`, file); !strings.Contains(got, "cn /etc/runner-bootstrap/config.yaml\n") {
			t.Errorf("%s:\n%s", file, got)
		}
		for tag, script := range map[string]string{"POSTIN": "postinst.sh", "PREUN": "prerm.sh", "POSTUN": "postrm.sh"} {
			if got := command(t, "rpm", "-qp", "--queryformat", "%{"+tag+"}", file); got != read(t, "packaging/scripts", script) {
				t.Errorf("%s: %s is not %s, but %d bytes of something else", file, tag, script, len(got))
			}
		}
		command(t, "rpm", "--checksig", "--nosignature", file)
	}
	root := t.TempDir()
	in := func(arguments ...string) string {
		t.Helper()
		return command(t, "rpm", append([]string{"--root", root, "--dbpath", "/var/lib/rpm"}, arguments...)...)
	}
	in("--install", "--nodeps", "--noscripts", filepath.Join(out, "runner-bootstrap_linux_amd64.rpm"))
	in("--verify", "--nodeps", "--noscripts", "runner-bootstrap")
	if said := command(t, filepath.Join(root, "usr/bin/runner-bootstrap"), "version"); !strings.HasPrefix(said, "runner-bootstrap 1.0.0 ") {
		t.Errorf("the program says that it is %s", said)
	}
	config := filepath.Join(root, "etc/runner-bootstrap/config.yaml")
	if err := os.WriteFile(config, []byte("url: https://github.com/octo-org\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	in("--erase", "--noscripts", "runner-bootstrap")
	if left := listed(t, filepath.Dir(config)); !slices.Equal(left, []string{"config.yaml.rpmsave"}) {
		t.Errorf("of a changed configuration file a removal leaves %q", left)
	}
}

// insideAPK: contents. The package is one stream after another.
func insideAPK(t *testing.T, out string) {
	for arch, theirs := range map[string]string{"amd64": "x86_64", "arm64": "aarch64", "armv7": "armv7"} {
		file := filepath.Join(out, "runner-bootstrap_linux_"+arch+".apk")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		plain, err := gzip.NewReader(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		members := untar(t, plain)
		var got []string
		for name, m := range members {
			if strings.HasPrefix(name, ".") || m.mode.IsDir() {
				continue
			}
			got = append(got, m.mode.String()+" /"+name)
		}
		compare(t, file, got, wanted(t, "apk"))
		about := string(members[".PKGINFO"].text)
		for _, want := range []string{"pkgname = runner-bootstrap", "pkgver = 1.0.0", "arch = " + theirs, "license = Apache-2.0"} {
			if !strings.Contains(about, want) {
				t.Errorf("%s: .PKGINFO has no %q:\n%s", file, want, about)
			}
		}
		for inside, script := range map[string]string{".post-install": "postinst.sh", ".pre-deinstall": "prerm.sh", ".post-deinstall": "postrm.sh"} {
			if string(members[inside].text) != read(t, "packaging/scripts", script) {
				t.Errorf("%s: %s is not %s", file, inside, script)
			}
		}
	}
}
