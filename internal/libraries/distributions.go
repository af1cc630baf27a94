package libraries

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/pattern"
)

// family is a kind of distributions with the same package manager.
type family struct {
	manager string
	// names are the packages of each library, by how the library's name begins; apt's for ICU and OpenSSL depend on the
	// release and are asked for.
	names map[string]string
}

// packagesOf reads which distribution the system below root is.
func packagesOf(root string) (family, error) {
	text, err := os.ReadFile(filepath.Join(root, "/etc/os-release"))
	if err != nil {
		return family{}, fmt.Errorf("%w: %w", ErrNoPackages, err)
	}
	words := distribution(string(text))
	redHat := map[string]string{
		"ICU": "libicu", "OpenSSL": "openssl-libs", "Kerberos": "krb5-libs", "zlib": "zlib", "libstdc++": "libstdc++", "libgcc": "libgcc",
	}
	for _, word := range words {
		switch word {
		case "debian", "ubuntu":
			return family{"apt-get", map[string]string{
				"Kerberos": "libgssapi-krb5-2", "zlib": "zlib1g", "libstdc++": "libstdc++6", "libgcc": "libgcc-s1",
			}}, nil
		case "fedora", "rhel", "centos", "amzn":
			if exists(root, "/usr/bin/dnf") {
				return family{"dnf", redHat}, nil
			}
			return family{"yum", redHat}, nil
		case "suse", "opensuse", "sles":
			// The libraries have their version in their name; these packages need the right ones.
			return family{"zypper", map[string]string{
				"ICU": "icu", "OpenSSL": "openssl", "Kerberos": "krb5", "zlib": "libz1", "libstdc++": "libstdc++6", "libgcc": "libgcc_s1",
			}}, nil
		}
	}
	return family{}, fmt.Errorf("%w (%s)", ErrNoPackages, strings.Join(words, ", "))
}

// distribution is the distribution's own name, and then those of the ones it is like.
func distribution(release string) []string {
	values := map[string]string{}
	for line := range strings.Lines(release) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		values[key] = strings.Trim(value, `"'`)
	}
	return strings.Fields(strings.ToLower(values["ID"] + " " + values["ID_LIKE"]))
}

// install installs the packages of the wanted libraries.
func (f family) install(ctx context.Context, r runner, wanted []Library) error {
	var packages []string
	asked := map[string]bool{}
	for _, one := range wanted {
		first, _, _ := strings.Cut(one.Name, " ")
		if name := f.names[first]; name != "" {
			packages = append(packages, name)
		} else {
			asked[first] = true
		}
	}
	switch f.manager {
	case "apt-get":
		return f.installByApt(ctx, r, packages, asked)
	case "zypper":
		_, err := r.run(ctx, append([]string{"zypper", "--non-interactive", "install", "--no-recommends"}, packages...)...)
		return err
	default:
		_, err := r.run(ctx, append([]string{f.manager, "-y", "install"}, packages...)...)
		return err
	}
}

// Written so that apt-cache understands them as well.
var (
	icuPackage     = pattern.New(`^libicu([0-9]+)$`)
	opensslPackage = pattern.New(`^libssl([0-9])(\.1)?(t64)?$`)
)

// installByApt asks which of the packages with a version in their name there are, as GitHub's own script tries them.
func (f family) installByApt(ctx context.Context, r runner, packages []string, asked map[string]bool) error {
	// Its lists may be old, or not there at all in a fresh image.
	if _, err := r.run(ctx, "apt-get", "-q", "update"); err != nil {
		return err
	}
	for first, named := range map[string]*regexp.Regexp{"ICU": icuPackage.Regexp(), "OpenSSL": opensslPackage.Regexp()} {
		if !asked[first] {
			continue
		}
		text, err := r.run(ctx, "apt-cache", "--names-only", "search", named.String())
		if err != nil {
			return err
		}
		name := pickNewest(named, strings.Fields(text))
		if name == "" {
			return fmt.Errorf("%w: it has no package of %s", ErrInstall, first)
		}
		packages = append(packages, name)
	}
	slices.Sort(packages)
	words := []string{"apt-get", "-q", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=60", "install"}
	_, err := r.run(ctx, append(words, packages...)...)
	return err
}

func exists(root, path string) bool {
	_, err := os.Stat(filepath.Join(root, path))
	return err == nil
}
