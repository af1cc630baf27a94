package libraries

import (
	"errors"
	"strings"
	"testing"
)

func TestPackagesOf(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		release string
		dnf     bool
		want    string
	}{
		"Debian":      {"ID=debian\n", false, "apt-get"},
		"Mint":        {"ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", false, "apt-get"},
		"Fedora":      {"NAME=\"Fedora Linux\"\nID=fedora\n", true, "dnf"},
		"Rocky":       {"ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n", true, "dnf"},
		"Amazon":      {"ID=\"amzn\"\nID_LIKE=\"fedora\"\n", true, "dnf"},
		"an old one":  {"ID=\"amzn\"\nID_LIKE=\"centos rhel fedora\"\n", false, "yum"},
		"openSUSE":    {"ID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"\n", false, "zypper"},
		"Alpine":      {"ID=alpine\n", false, ""},
		"not a word":  {"", false, ""},
		"single mark": {"ID='debian'\n", false, "apt-get"},
	} {
		root := t.TempDir()
		write(t, root, "/etc/os-release", []byte(c.release))
		if c.dnf {
			write(t, root, "/usr/bin/dnf", nil)
		}
		got, err := packagesOf(root)
		if got.manager != c.want || (c.want == "") != errors.Is(err, ErrNoPackages) {
			t.Errorf("%s: %q, %v, want %q", name, got.manager, err, c.want)
		}
		for _, l := range opened() {
			first, _, _ := strings.Cut(l.Name, " ")
			if c.want != "" && got.names[first] == "" && (c.want != "apt-get" || first != "ICU" && first != "OpenSSL") {
				t.Errorf("%s: no package of %s", name, l.Name)
			}
		}
	}
	if _, err := packagesOf(t.TempDir()); !errors.Is(err, ErrNoPackages) {
		t.Errorf("a system without a name: %v", err)
	}
}

func TestPickNewest(t *testing.T) {
	t.Parallel()
	icu := []string{"libicu9", "libicu72", "-", "libicu-dev", "libicu100", "libicu4j-java", "libicu76"}
	if got := pickNewest(icuPackage.Regexp(), icu); got != "libicu100" {
		t.Errorf("of %q it takes %q", icu, got)
	}
	for want, names := range map[string][]string{"libssl3t64": {"libssl3t64", "libssl1.1"}, "libssl3": {"libssl-dev", "libssl3"}, "libssl1.1": {"libssl1.1"}, "": nil} {
		if got := pickNewest(opensslPackage.Regexp(), names); got != want {
			t.Errorf("of %q it takes %q, want %q", names, got, want)
		}
	}
}

func TestBeside(t *testing.T) {
	t.Parallel()
	missing := &MissingError{Names: []string{"libz.so.1", "ICU (libicuuc, libicui18n)", "libunknown.so.1"}}
	if got := Names(missing.Beside(opened()[:1])); got != "zlib" {
		t.Errorf("beside ICU it wants %q, want zlib", got)
	}
}
