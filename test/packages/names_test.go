package packages

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// repository is where this one is, as seen from here.
const repository = "../.."

func read(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{repository}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func parse(t *testing.T, path string, into any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(read(t, path)), into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// found is what the one group of a pattern matches in text; the test fails if it matches nothing.
func found(t *testing.T, text, pattern string) []string {
	t.Helper()
	var all []string
	for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		all = append(all, match[1])
	}
	if len(all) == 0 {
		t.Fatalf("nothing matches %s", pattern)
	}
	return all
}

// platforms are those that scripts/package.sh makes archives for.
func platforms(t *testing.T) []string {
	t.Helper()
	return strings.Fields(found(t, read(t, "scripts/package.sh"), `(?m)^platforms='(.*)'$`)[0])
}

// stem is what the names of a platform's files begin with.
func stem(platform string) string {
	name := "runner-bootstrap_" + strings.Replace(platform, "/", "_", 1)
	return regexp.MustCompile(`_arm$`).ReplaceAllString(name, "_armv7")
}

// archives are the names of the archives.
func archives(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, platform := range platforms(t) {
		name := stem(platform) + ".tar.gz"
		if strings.HasPrefix(platform, "windows/") {
			name = stem(platform) + ".zip"
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// content is one file of a package, as nfpm and goreleaser name it.
type content struct {
	Src, Dst, Type, Packager string
	FileInfo                 struct{ Mode uint32 } `yaml:"file_info"`
}

// description is what both configurations say of the packages.
type description struct {
	Section, Priority, Maintainer, Vendor, Homepage, License, Description string
	Recommends                                                            []string
	Contents                                                              []content
	Scripts                                                               map[string]string
	RPM                                                                   map[string]string
}

func nfpm(t *testing.T) description {
	t.Helper()
	var d description
	parse(t, "packaging/nfpm.yaml", &d)
	if len(d.Contents) == 0 {
		t.Fatal("the packages hold nothing")
	}
	return d
}

// goreleaser is as much of its configuration as decides names and contents.
type goreleaser struct {
	Project string `yaml:"project_name"`
	Builds  []struct {
		Main, Binary string
		Env, Flags   []string
		Ldflags      []string
		Goos, Goarch []string
		Goarm        []string
		Ignore       []map[string]string
	}
	Archives []struct {
		NameTemplate    string `yaml:"name_template"`
		Formats         []string
		FormatOverrides []struct {
			Goos    string
			Formats []string
		} `yaml:"format_overrides"`
		Files []struct{ Src string }
	}
	NFPMs []struct {
		FileNameTemplate string `yaml:"file_name_template"`
		Formats          []string
		Bindir           string
		description      `yaml:",inline"`
	}
	Checksum struct {
		NameTemplate string `yaml:"name_template"`
	}
}

// TestGoreleaserMakesTheSameFiles compares names.
func TestGoreleaserMakesTheSameFiles(t *testing.T) {
	t.Parallel()
	var g goreleaser
	parse(t, ".goreleaser.yaml", &g)
	const template = "{{ .ProjectName }}_{{ .Os }}_{{ .Arch }}{{ with .Arm }}v{{ . }}{{ end }}"
	if g.Archives[0].NameTemplate != template || g.NFPMs[0].FileNameTemplate != template {
		t.Fatalf("names are made by %q and %q, want %q", g.Archives[0].NameTemplate, g.NFPMs[0].FileNameTemplate, template)
	}
	build, archive := g.Builds[0], g.Archives[0]
	var names []string
	for _, goos := range build.Goos {
		format := archive.Formats[0]
		for _, o := range archive.FormatOverrides {
			if o.Goos == goos {
				format = o.Formats[0]
			}
		}
		for _, goarch := range build.Goarch {
			if slices.ContainsFunc(build.Ignore, func(i map[string]string) bool { return i["goos"] == goos && i["goarch"] == goarch }) {
				continue
			}
			name := g.Project + "_" + goos + "_" + goarch
			if goarch == "arm" {
				name += "v" + build.Goarm[0]
			}
			names = append(names, name+"."+format)
		}
	}
	slices.Sort(names)
	if want := archives(t); !slices.Equal(names, want) {
		t.Errorf("goreleaser makes %q, package.sh %q", names, want)
	}
	if want := []string{"deb", "rpm", "apk"}; !slices.Equal(g.NFPMs[0].Formats, want) {
		t.Errorf("goreleaser makes packages %q, package.sh %q", g.NFPMs[0].Formats, want)
	}
	if g.Checksum.NameTemplate != "checksums.txt" {
		t.Errorf("digests are in %q", g.Checksum.NameTemplate)
	}
	var inside []string
	for _, f := range archive.Files {
		inside = append(inside, filepath.Base(f.Src))
	}
	if want := []string{"LICENSE", "README.md", "NOTICES"}; !slices.Equal(inside, want) {
		t.Errorf("beside the program an archive holds %q, want %q", inside, want)
	}
}

// TestGoreleaserBuildsTheSame compares flags and contents.
func TestGoreleaserBuildsTheSame(t *testing.T) {
	t.Parallel()
	var g goreleaser
	parse(t, ".goreleaser.yaml", &g)
	script := read(t, "scripts/package.sh")
	build := g.Builds[0]
	compile := fmt.Sprintf("go build %s -ldflags %q", strings.Join(build.Flags, " "),
		strings.ReplaceAll(build.Ldflags[0], "{{ .Version }}", "$version"))
	if !strings.Contains(script, compile) {
		t.Errorf("package.sh does not run %s", compile)
	}
	for _, variable := range build.Env {
		name, value, _ := strings.Cut(variable, "=")
		if !strings.Contains(script, " "+name+"="+value+" ") && !strings.Contains(script, " "+name+"='' ") {
			t.Errorf("package.sh does not set %s", variable)
		}
	}
	ours, theirs := nfpm(t), g.NFPMs[0].description
	// goreleaser adds the program by itself.
	program := ours.Contents[0]
	if got := filepath.Join(g.NFPMs[0].Bindir, build.Binary); program.Dst != got {
		t.Errorf("the program is %s, with goreleaser %s", program.Dst, got)
	}
	ours.Contents = ours.Contents[1:]
	for i, c := range ours.Contents {
		ours.Contents[i].Src = strings.Replace(c.Src, "${STAGE}", ".release", 1)
	}
	order := func(a, b content) int { return strings.Compare(a.Dst+a.Packager, b.Dst+b.Packager) }
	slices.SortFunc(ours.Contents, order)
	slices.SortFunc(theirs.Contents, order)
	if !reflect.DeepEqual(ours, theirs) {
		t.Errorf("the packages differ:\nnfpm       %+v\ngoreleaser %+v", ours, theirs)
	}
	for _, c := range ours.Contents {
		if strings.HasPrefix(c.Src, "packaging/") {
			read(t, c.Src)
		}
	}
	for _, script := range ours.Scripts {
		read(t, script)
	}
}

const releases = "https://github.com/runner-bootstrap/runner-bootstrap/releases/download/"

// TestHomebrewFormula: each archive for macOS and Linux that Homebrew knows, with its own digest, and no file
// that is not in it.
func TestHomebrewFormula(t *testing.T) {
	t.Parallel()
	formula := read(t, "packaging/homebrew/runner-bootstrap.rb")
	urls := found(t, formula, `url "(.*)"`)
	digests := found(t, formula, `sha256 "@SHA256:(.*)@"`)
	var want []string
	for _, name := range archives(t) {
		if !strings.Contains(name, "windows") && !strings.Contains(name, "armv7") {
			want = append(want, name)
		}
	}
	if got := slices.Sorted(slices.Values(digests)); !slices.Equal(got, want) {
		t.Errorf("digests of %q, want those of %q", got, want)
	}
	for i, url := range urls {
		if url != releases+"v@VERSION@/"+digests[i] {
			t.Errorf("%s has the digest of %s", url, digests[i])
		}
	}
	blocks := regexp.MustCompile(`on_(macos|linux) do|on_(arm|intel) do|runner-bootstrap_(\w+)\.tar\.gz"\n`).FindAllStringSubmatch(formula, -1)
	names := map[string]string{"macos": "darwin", "linux": "linux", "arm": "arm64", "intel": "amd64"}
	system, machine := "", ""
	for _, b := range blocks {
		switch {
		case b[1] != "":
			system = names[b[1]]
		case b[2] != "":
			machine = names[b[2]]
		case b[3] != system+"_"+machine:
			t.Errorf("for %s on %s it fetches %s", machine, system, b[3])
		}
	}
	for _, file := range found(t, formula, `install "([^"]*)"`) {
		name := filepath.Base(file)
		manual := read(t, "cmd/runner-bootstrap/manual.go")
		if name != "runner-bootstrap" && name != "NOTICES" && !strings.Contains(manual, `{"`+name+`", `) {
			t.Errorf("it installs %s, which is neither in the archive nor made by the command manual", file)
		}
	}
	if class := found(t, formula, `(?m)^class (\w+) < Formula$`); class[0] != "RunnerBootstrap" {
		t.Errorf("Homebrew looks for the class RunnerBootstrap in this file, not %s", class[0])
	}
}

// TestScoopManifest: the same for Windows.
func TestScoopManifest(t *testing.T) {
	t.Parallel()
	type source struct{ URL, Hash string }
	var m struct {
		Version, Bin string
		Architecture map[string]source
		Autoupdate   struct {
			Architecture map[string]source
			Hash         source
		}
	}
	if err := json.Unmarshal([]byte(read(t, "packaging/scoop/runner-bootstrap.json")), &m); err != nil {
		t.Fatal(err)
	}
	want, later := map[string]source{}, map[string]source{}
	for _, name := range archives(t) {
		for kind, arch := range map[string]string{"64bit": "amd64", "arm64": "arm64"} {
			if name == "runner-bootstrap_windows_"+arch+".zip" {
				want[kind] = source{releases + "v@VERSION@/" + name, "@SHA256:" + name + "@"}
				later[kind] = source{URL: releases + "v$version/" + name}
			}
		}
	}
	if len(want) != 2 || !maps.Equal(m.Architecture, want) || !maps.Equal(m.Autoupdate.Architecture, later) {
		t.Errorf("it fetches %v and later %v, want %v and %v", m.Architecture, m.Autoupdate.Architecture, want, later)
	}
	if m.Version != "@VERSION@" || m.Bin != "runner-bootstrap.exe" || m.Autoupdate.Hash.URL != "$baseurl/checksums.txt" {
		t.Errorf("version %q, program %q, digests from %q", m.Version, m.Bin, m.Autoupdate.Hash.URL)
	}
}

// TestContainerfile: it takes our archives, checks them, and runs as nobody special.
func TestContainerfile(t *testing.T) {
	t.Parallel()
	text := strings.ReplaceAll(read(t, "packaging/container/Containerfile"), "\\\n", "")
	for _, base := range found(t, text, `(?m)^FROM (\S+)`) {
		if base != "debian:bookworm-slim" {
			t.Errorf("it is made from %s", base)
		}
	}
	pattern := found(t, text, `(?m)^COPY (\S+) checksums\.txt /archives/$`)[0]
	for _, name := range archives(t) {
		matches, err := filepath.Match(pattern, name)
		if err != nil || matches != strings.Contains(name, "_linux_") {
			t.Errorf("%s takes %s: %t, %v", pattern, name, matches, err)
		}
	}
	if !strings.Contains(text, "sha256sum --check") || !strings.Contains(text, "armhf) arch=armv7 ;;") {
		t.Error("it does not compare the archive, or does not know the name that armv7 has at Debian")
	}
	last := map[string]string{}
	for line := range strings.Lines(text) {
		if word, rest, ok := strings.Cut(strings.TrimSpace(line), " "); ok && word == strings.ToUpper(word) {
			last[word] = strings.TrimSpace(rest)
		}
	}
	for word, want := range map[string]string{
		"USER": "runner", "ENTRYPOINT": `["runner-bootstrap", "run"]`, "VOLUME": "/runner", "ENV": "RUNNER_BOOTSTRAP_DIR=/runner",
		"WORKDIR": "/runner", "STOPSIGNAL": "SIGTERM",
	} {
		if last[word] != want {
			t.Errorf("%s is %q, want %q", word, last[word], want)
		}
	}
}
