//go:build e2e && linux

package packages

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// epoch is the time of the source in these tests.
const epoch = "1795432784"

// requireTools fails the test: what cannot be looked at is not a reason to skip what was to be proved.
func requireTools(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("the tests of the packages must run as root")
	}
	var missing []string
	for _, tool := range []string{"jq", "zip", "rpm", "lintian", "buildah", "dpkg-deb:dpkg", "msibuild:msitools", "gcab", "osslsigncode"} {
		program, from, named := strings.Cut(tool, ":")
		if _, err := exec.LookPath(program); err != nil {
			if !named {
				from = program
			}
			missing = append(missing, from)
		}
	}
	if len(missing) > 0 {
		t.Fatalf("tools are missing: apt-get install %s", strings.Join(missing, " "))
	}
}

// command returns what a program prints, of both kinds. The test fails if it ends with anything but 0.
func command(t *testing.T, program string, arguments ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, arguments...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", program, strings.Join(arguments, " "), err, out)
	}
	return string(out)
}

// release runs the script of a tree, and returns the directory that it has filled.
func release(t *testing.T, tree, version string, platforms ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out")
	cmd := exec.CommandContext(t.Context(), filepath.Join(tree, "scripts", "package.sh"), append([]string{version, out}, platforms...)...)
	cmd.Env = append(os.Environ(), "SOURCE_DATE_EPOCH="+epoch)
	began := time.Now()
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("package.sh %s: %v\n%s", version, err, said)
	}
	t.Logf("package.sh %s %s: %s", version, strings.Join(platforms, " "), time.Since(began).Round(100*time.Millisecond))
	return out
}

func listed(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestRelease makes everything once, and looks at it from all sides.
func TestRelease(t *testing.T) {
	requireTools(t)
	out := release(t, repository, "1.0.0")
	upgrade := release(t, repository, "v1.1.0-rc.1", "linux/amd64", "windows/amd64")
	t.Run("everything", func(t *testing.T) {
		for name, look := range map[string]func(*testing.T, string){
			"names": names, "digests": digests, "archives": insideArchives, "bill": bill, "manifests": manifests, "winget": wingetFilled, "nupkg": insideNupkg, "prove": insideProve,
			"deb": insideDeb, "rpm": insideRPM, "apk": insideAPK, "msi": insideMSI, "again": again, "container": container,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				look(t, out)
			})
		}
		t.Run("life of the msi", func(t *testing.T) {
			t.Parallel()
			lifeOfMSI(t, out, upgrade)
		})
		t.Run("a runner from the msi", func(t *testing.T) {
			t.Parallel()
			runnerFromMSI(t, out)
		})
		t.Run("a runner from the zip", func(t *testing.T) {
			t.Parallel()
			runnerFromZip(t, out)
		})
		life(t, out, upgrade)
	})
}

// names: each file that is promised, and no other.
func names(t *testing.T, out string) {
	want := append(archives(t), "checksums.txt", "runner-bootstrap.cdx.json", "runner-bootstrap.rb", "runner-bootstrap.json", "Containerfile", "install.sh", "install.ps1",
		"runner-bootstrap.1.0.0.nupkg", winget+".yaml", winget+".installer.yaml", winget+".locale.en-US.yaml",
		"runner-bootstrap-prove_windows_amd64.zip", "runner-bootstrap-prove_windows_arm64.zip")
	for _, platform := range platforms(t) {
		switch goos, _, _ := strings.Cut(platform, "/"); goos {
		case "linux":
			want = append(want, stem(platform)+".deb", stem(platform)+".rpm", stem(platform)+".apk")
		case "windows":
			want = append(want, stem(platform)+".msi")
		}
	}
	slices.Sort(want)
	if got := listed(t, out); !slices.Equal(got, want) {
		t.Errorf("made %q, want %q", got, want)
	}
}

// sums are the digests that checksums.txt gives.
func sums(t *testing.T, out string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(out, "checksums.txt"))
	if err != nil {
		t.Fatal(err)
	}
	given := map[string]string{}
	for line := range strings.Lines(string(text)) {
		digest, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		given[name] = digest
	}
	return given
}

func digests(t *testing.T, out string) {
	given := sums(t, out)
	for _, name := range listed(t, out) {
		if name == "checksums.txt" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(out, name))
		if err != nil {
			t.Fatal(err)
		}
		if digest := fmt.Sprintf("%x", sha256.Sum256(text)); given[name] != digest {
			t.Errorf("%s: checksums.txt says %q, it is %s", name, given[name], digest)
		}
		delete(given, name)
	}
	if len(given) > 0 {
		t.Errorf("checksums.txt names what is not there: %v", given)
	}
}

// member is one file of an archive.
type member struct {
	mode  fs.FileMode
	owner int
	time  time.Time
	text  []byte
}

func untar(t *testing.T, in io.Reader) map[string]member {
	t.Helper()
	members := map[string]member{}
	for archive := tar.NewReader(in); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return members
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		members[header.Name] = member{header.FileInfo().Mode(), header.Uid + header.Gid, header.ModTime, text}
	}
}

// unpack reads an archive of either kind.
func unpack(t *testing.T, name string) map[string]member {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(name, ".zip") {
		plain, err := gzip.NewReader(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if plain.Name != "" || !plain.ModTime.IsZero() {
			t.Errorf("%s: gzip tells name %q and time %s", name, plain.Name, plain.ModTime)
		}
		return untar(t, plain)
	}
	return unzip(t, name)
}

func unzip(t *testing.T, name string) map[string]member {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	archive, err := zip.NewReader(bytes.NewReader(text), int64(len(text)))
	if err != nil {
		t.Fatal(err)
	}
	members := map[string]member{}
	for _, file := range archive.File {
		in, err := file.Open()
		if err != nil {
			t.Fatal(err)
		}
		inside, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		members[file.Name] = member{mode: file.Mode(), time: file.Modified, text: inside}
	}
	return members
}

// insideArchives: the program for just that platform, and the texts, at the top.
func insideArchives(t *testing.T, out string) {
	for _, platform := range platforms(t) {
		goos, goarch, _ := strings.Cut(platform, "/")
		program, name := "runner-bootstrap", stem(platform)+".tar.gz"
		if goos == "windows" {
			program, name = "runner-bootstrap.exe", stem(platform)+".zip"
		}
		members := unpack(t, filepath.Join(out, name))
		modes := map[string]fs.FileMode{program: 0o755, "LICENSE": 0o644, "NOTICES": 0o644, "README.md": 0o644}
		if len(members) != len(modes) {
			t.Errorf("%s holds %d files", name, len(members))
		}
		for file, mode := range modes {
			m := members[file]
			// zip counts time in steps of two seconds, and in no zone.
			if m.mode != mode || m.owner != 0 || m.time.UTC().Truncate(2*time.Second).Unix() != 1795432784 || len(m.text) == 0 {
				t.Errorf("%s: %s has mode %v, owner %d, time %s, %d bytes", name, file, m.mode, m.owner, m.time.UTC(), len(m.text))
			}
		}
		info, err := buildinfo.Read(bytes.NewReader(members[program].text))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		settings := map[string]string{}
		for _, s := range info.Settings {
			settings[s.Key] = s.Value
		}
		for key, want := range map[string]string{
			"GOOS": goos, "GOARCH": goarch, "CGO_ENABLED": "0", "-trimpath": "true", "vcs.modified": "",
			"GOARM": map[string]string{"arm": "7"}[goarch], "GOAMD64": map[string]string{"amd64": "v1"}[goarch],
		} {
			if settings[key] != want {
				t.Errorf("%s: the program has %s=%q, want %q", name, key, settings[key], want)
			}
		}
		if !strings.Contains(string(members["NOTICES"].text), "The Go standard library") {
			t.Errorf("%s: NOTICES has no licences", name)
		}
	}
}

// bill: every module that any of the programs was linked with, and the standard library.
func bill(t *testing.T, out string) {
	var made struct {
		Format    string `json:"bomFormat"`
		Spec      string `json:"specVersion"`
		Metadata  struct{ Timestamp string }
		Component []struct{ Name, Version, PURL string } `json:"components"`
		Depend    []struct{ DependsOn []string }         `json:"dependencies"`
	}
	text, err := os.ReadFile(filepath.Join(out, "runner-bootstrap.cdx.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &made); err != nil {
		t.Fatal(err)
	}
	if made.Format != "CycloneDX" || made.Spec != "1.5" || made.Metadata.Timestamp != "2026-11-23T11:19:44Z" {
		t.Errorf("it is %s %s of %s", made.Format, made.Spec, made.Metadata.Timestamp)
	}
	var got []string
	for _, c := range made.Component {
		if c.PURL != "pkg:golang/"+c.Name+"@"+c.Version {
			t.Errorf("%s %s is called %s", c.Name, c.Version, c.PURL)
		}
		got = append(got, c.PURL)
	}
	linked := map[string]bool{}
	for _, name := range archives(t) {
		members := unpack(t, filepath.Join(out, name))
		for _, program := range []string{"runner-bootstrap", "runner-bootstrap.exe"} {
			if info, err := buildinfo.Read(bytes.NewReader(members[program].text)); err == nil {
				linked["pkg:golang/stdlib@"+strings.TrimPrefix(info.GoVersion, "go")] = true
				for _, m := range info.Deps {
					linked["pkg:golang/"+m.Path+"@"+m.Version] = true
				}
			}
		}
	}
	for want := range linked {
		if !slices.Contains(got, want) {
			t.Errorf("%s is linked and not on the bill", want)
		}
	}
	if len(got) != len(linked) || len(linked) < 10 || len(made.Depend) != 1 || !slices.Equal(made.Depend[0].DependsOn, got) {
		t.Errorf("%d components for %d modules, dependencies %v", len(got), len(linked), made.Depend)
	}
}

// manifests: version and digests are in them, and nothing is left to fill.
func manifests(t *testing.T, out string) {
	given := sums(t, out)
	for _, name := range []string{"runner-bootstrap.rb", "runner-bootstrap.json"} {
		text, err := os.ReadFile(filepath.Join(out, name))
		if err != nil {
			t.Fatal(err)
		}
		pairs := regexp.MustCompile(`v1\.0\.0/(\S+)",?\s+"?(?:sha256|hash"?:) "([0-9a-f]{64})"`).FindAllStringSubmatch(string(text), -1)
		if len(pairs) != map[string]int{"runner-bootstrap.rb": 4, "runner-bootstrap.json": 2}[name] || strings.Contains(string(text), "@") {
			t.Errorf("%s:\n%s", name, text)
		}
		for _, pair := range pairs {
			if given[pair[1]] != pair[2] {
				t.Errorf("%s: %s has digest %s, want %s", name, pair[1], pair[2], given[pair[1]])
			}
		}
	}
}

// again makes the same from a copy: another place, other times and modes of files.
func again(t *testing.T, out string) {
	copied := filepath.Join(t.TempDir(), "a copy")
	if err := copyTree(copied); err != nil {
		t.Fatal(err)
	}
	second := release(t, copied, "1.0.0")
	for _, name := range listed(t, out) {
		first, err := os.ReadFile(filepath.Join(out, name))
		if err != nil {
			t.Fatal(err)
		}
		if now, err := os.ReadFile(filepath.Join(second, name)); err != nil || !bytes.Equal(first, now) {
			t.Errorf("%s differs between two builds: %d bytes, then %d, %v", name, len(first), len(now), err)
		}
	}
	if got, want := listed(t, second), listed(t, out); !slices.Equal(got, want) {
		t.Errorf("the first made %q, the second %q", want, got)
	}
}

// copyTree copies this repository but its history and what was built in it.
func copyTree(to string) error {
	entries, err := os.ReadDir(repository)
	if err != nil {
		return err
	}
	if err := os.Mkdir(to, 0o700); err != nil {
		return err
	}
	for _, e := range entries {
		from := filepath.Join(repository, e.Name())
		switch {
		case slices.Contains([]string{".git", "dist", ".release", "runner-bootstrap"}, e.Name()):
		case e.IsDir():
			err = os.CopyFS(filepath.Join(to, e.Name()), os.DirFS(from))
		default:
			var text []byte
			if text, err = os.ReadFile(from); err == nil {
				err = os.WriteFile(filepath.Join(to, e.Name()), text, 0o600)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
