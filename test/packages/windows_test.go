package packages

import (
	"encoding/xml"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const (
	winget      = "RunnerBootstrap.RunnerBootstrap"
	upgradeCode = "{083FF2CA-8E1D-4A0A-9B33-76409A956A1E}"
)

// wingetFields are the fields that Microsoft's schema 1.6.0 has for a manifest of a kind, of those that ours use, each with what
// its value must look like. A star marks those that must be there; "sequence" and "mapping" are looked at by name below.
func wingetFields(kind string) map[string]string {
	const address, words = `^https://.+$`, `^.{3,250}$`
	fields := map[string]string{
		"*PackageIdentifier": `^[^\s.]{1,32}\.[^\s.]{1,32}$`, "*PackageVersion": `^[^\\/:*?"<>|]{1,128}$`,
		"*ManifestType": "^" + kind + "$", "*ManifestVersion": `^1\.6\.0$`,
	}
	more := map[string]map[string]string{
		"version": {"*DefaultLocale": `^en-US$`},
		"installer": {
			"Platform": `sequence`, "Platform[]": `^Windows\.Desktop$`, "MinimumOSVersion": `^\d+(\.\d+){3}$`, "*InstallerType": `^msi$`,
			"Scope": `^machine$`, "ElevationRequirement": `^(elevationRequired|elevationProhibited|elevatesSelf)$`,
			"UpgradeBehavior": `^(install|uninstallPrevious)$`, "Commands": `sequence`, "Commands[]": `^.{1,40}$`,
			"UnsupportedArguments": `sequence`, "UnsupportedArguments[]": `^(log|location)$`, "ReleaseDate": `^\d{4}-\d\d-\d\d$`,
			"*Installers": `sequence`, "*Installers[].Architecture": `^(x64|arm64)$`, "*Installers[].InstallerUrl": address,
			"*Installers[].InstallerSha256": `^[A-Fa-f0-9]{64}$`, "Installers[].ProductCode": `^\{[0-9A-F-]{36}\}$`,
			"Installers[].AppsAndFeaturesEntries": `sequence`, "Installers[].AppsAndFeaturesEntries[].ProductCode": `^\{[0-9A-F-]{36}\}$`,
			"Installers[].AppsAndFeaturesEntries[].UpgradeCode": "^" + regexp.QuoteMeta(upgradeCode) + "$",
		},
		"defaultLocale": {
			"*PackageLocale": `^en-US$`, "*Publisher": words, "PublisherUrl": address, "PublisherSupportUrl": address, "*PackageName": words,
			"PackageUrl": address, "*License": words, "LicenseUrl": address, "*ShortDescription": words, "Description": `^.{3,}$`,
			"Moniker": `^\S{1,40}$`, "Tags": `sequence`, "Tags[]": `^[a-z0-9-]{1,40}$`, "ReleaseNotesUrl": address,
		},
	}
	for name, form := range more[kind] {
		fields[name] = form
	}
	return fields
}

// values flattens what a file says: Installers[].Architecture -> all its values.
func values(node *yaml.Node, at string, into map[string][]string) {
	switch node.Kind {
	case yaml.DocumentNode:
		values(node.Content[0], at, into)
	case yaml.MappingNode:
		for i := 0; i < len(node.Content); i += 2 {
			values(node.Content[i+1], strings.TrimPrefix(at+"."+node.Content[i].Value, "."), into)
		}
	case yaml.SequenceNode:
		into[at] = append(into[at], "sequence")
		for _, n := range node.Content {
			values(n, at+"[]", into)
		}
	case yaml.ScalarNode, yaml.AliasNode:
		into[at] = append(into[at], node.Value)
	}
}

// checkWinget looks at the three manifests, which a function reads, and returns all that they say by kind.
func checkWinget(t *testing.T, read func(name string) string) map[string]map[string][]string {
	t.Helper()
	said := map[string]map[string][]string{}
	for kind, file := range map[string]string{"version": ".yaml", "installer": ".installer.yaml", "defaultLocale": ".locale.en-US.yaml"} {
		text := read(winget + file)
		if want := "# yaml-language-server: $schema=https://aka.ms/winget-manifest." + kind + ".1.6.0.schema.json\n"; !strings.HasPrefix(text, want) {
			t.Errorf("%s%s does not begin with %s", winget, file, want)
		}
		var document yaml.Node
		if err := yaml.Unmarshal([]byte(text), &document); err != nil {
			t.Fatalf("%s%s: %v", winget, file, err)
		}
		got := map[string][]string{}
		values(&document, "", got)
		fields := wingetFields(kind)
		for name, all := range got {
			form := fields[name] + fields["*"+name]
			for _, value := range all {
				if form == "" || !regexp.MustCompile(form).MatchString(value) {
					t.Errorf("%s%s: %s is %q, want it like %s", winget, file, name, value, form)
				}
			}
		}
		for name := range fields {
			if must, found := strings.CutPrefix(name, "*"); found && len(got[must]) == 0 {
				t.Errorf("%s%s has no %s", winget, file, must)
			}
		}
		if id := got["PackageIdentifier"]; !slices.Equal(id, []string{winget}) {
			t.Errorf("%s%s is about %q", winget, file, id)
		}
		said[kind] = got
	}
	return said
}

// TestWingetManifests: what winget's schemas ask for is there, and both packages are fetched from where a release has them.
func TestWingetManifests(t *testing.T) {
	t.Parallel()
	digest := regexp.MustCompile(`@SHA256:(.*)@`)
	product := regexp.MustCompile(`@PRODUCT:.*@`)
	var digests []string
	said := checkWinget(t, func(name string) string {
		text := read(t, "packaging", "winget", name)
		for _, match := range digest.FindAllStringSubmatch(text, -1) {
			digests = append(digests, match[1])
		}
		text = digest.ReplaceAllString(text, strings.Repeat("0", 64))
		text = product.ReplaceAllString(text, "{00000000-0000-0000-0000-000000000000}")
		return strings.NewReplacer("@VERSION@", "1.2.3", "@DATE@", "2026-11-23").Replace(text)
	})
	want := []string{"runner-bootstrap_windows_amd64.msi", "runner-bootstrap_windows_arm64.msi"}
	if !slices.Equal(digests, want) || !slices.Equal(said["installer"]["Installers[].Architecture"], []string{"x64", "arm64"}) {
		t.Errorf("digests of %q for %q", digests, said["installer"]["Installers[].Architecture"])
	}
	for i, address := range said["installer"]["Installers[].InstallerUrl"] {
		if address != releases+"v1.2.3/"+want[i] {
			t.Errorf("it fetches %s, want %s", address, want[i])
		}
	}
}

// nuspec is the description of a package for Chocolatey.
type nuspec struct {
	XMLName  xml.Name `xml:"http://schemas.microsoft.com/packaging/2015/06/nuspec.xsd package"`
	Metadata struct {
		ID          string `xml:"id"`
		Version     string `xml:"version"`
		Title       string `xml:"title"`
		Authors     string `xml:"authors"`
		Owners      string `xml:"owners"`
		Project     string `xml:"projectUrl"`
		Package     string `xml:"packageSourceUrl"`
		Source      string `xml:"projectSourceUrl"`
		Docs        string `xml:"docsUrl"`
		Bugs        string `xml:"bugTrackerUrl"`
		License     string `xml:"licenseUrl"`
		Accept      string `xml:"requireLicenseAcceptance"`
		Summary     string `xml:"summary"`
		Description string `xml:"description"`
		Notes       string `xml:"releaseNotes"`
		Tags        string `xml:"tags"`
		Other       []struct {
			XMLName xml.Name
		} `xml:",any"`
	} `xml:"metadata"`
}

// checkNuspec applies what Chocolatey asks of packages in its documentation.
func checkNuspec(t *testing.T, text, version string) {
	t.Helper()
	var n nuspec
	decoder := xml.NewDecoder(strings.NewReader(text))
	if err := decoder.Decode(&n); err != nil {
		t.Fatal(err)
	}
	m := n.Metadata
	if m.ID != "runner-bootstrap" || m.Version != version || len(m.Other) > 0 || m.Accept != "false" {
		t.Errorf("it is %s %s, accept %s, and has %v besides", m.ID, m.Version, m.Accept, m.Other)
	}
	for _, address := range []string{m.Project, m.Package, m.Source, m.Docs, m.Bugs, m.License, m.Notes} {
		if u, err := url.Parse(address); err != nil || u.Scheme != "https" || u.Host != "github.com" {
			t.Errorf("%q is no address of ours", address)
		}
	}
	for what, text := range map[string]string{"title": m.Title, "authors": m.Authors, "owners": m.Owners, "summary": m.Summary, "tags": m.Tags} {
		if text == "" || text != strings.TrimSpace(text) {
			t.Errorf("%s is %q", what, text)
		}
	}
	if len(m.Description) < 30 || len(m.Description) > 4000 || strings.ContainsAny(m.Tags, ",;") {
		t.Errorf("the description has %d characters, tags are %q", len(m.Description), m.Tags)
	}
}

// TestChocolateyTemplate: the description is one, and each digest stands by the name of its file.
func TestChocolateyTemplate(t *testing.T) {
	t.Parallel()
	text := read(t, "packaging/chocolatey/runner-bootstrap.nuspec")
	checkNuspec(t, strings.NewReplacer("@CHOCOLATEY@", "1.2.3", "@VERSION@", "1.2.3").Replace(text), "1.2.3")
	script := read(t, "packaging/chocolatey/tools/chocolateyinstall.ps1")
	pairs := regexp.MustCompile(`(?s)\$architecture = '(\w+)'\s+\$checksum = '@SHA256:(\S+)@'`).FindAllStringSubmatch(script, -1)
	if len(pairs) != 2 {
		t.Fatalf("%d pairs of architecture and digest", len(pairs))
	}
	for _, pair := range pairs {
		if pair[2] != "runner-bootstrap_windows_"+pair[1]+".msi" {
			t.Errorf("for %s it has the digest of %s", pair[1], pair[2])
		}
	}
	if want := releases + "v@VERSION@/runner-bootstrap_windows_$architecture.msi"; !strings.Contains(script, want) {
		t.Errorf("it does not fetch %s", want)
	}
	// The parts of the zip that say what it is: each kind of file has a type, and the description is named.
	types, relations := read(t, "packaging/chocolatey/[Content_Types].xml"), read(t, "packaging/chocolatey/_rels/.rels")
	for _, file := range []string{"_rels/.rels", "runner-bootstrap.nuspec", "tools/chocolateyinstall.ps1"} {
		if !strings.Contains(types, `Extension="`+strings.TrimPrefix(path.Ext(file), ".")+`"`) {
			t.Errorf("files like %s have no type", file)
		}
	}
	if !strings.Contains(relations, `Target="/runner-bootstrap.nuspec"`) {
		t.Error("nothing names the description")
	}
}

// userData are the texts for Windows machines of clouds, as PowerShell reads them.
func userData(t *testing.T) map[string]string {
	t.Helper()
	aws := read(t, "packaging/windows/user-data/aws.txt")
	between := regexp.MustCompile(`(?s)^<powershell>\n(.*)</powershell>\n<persist>true</persist>\n$`).FindStringSubmatch(aws)
	if between == nil {
		t.Fatal("EC2Launch would not see a script, or see it once")
	}
	return map[string]string{"aws": between[1], "azure": read(t, "packaging/windows/user-data/azure.ps1")}
}

// TestUserDataForWindows: what brings the program is the same everywhere, pins it by the release's list, and the options are
// given in variables, which no command line shows.
func TestUserDataForWindows(t *testing.T) {
	t.Parallel()
	options := read(t, "docs/reference/options.md")
	brings := map[string]bool{}
	for cloud, text := range userData(t) {
		const begin = "\n# Until there is a runner,"
		settings, bring, ok := strings.Cut(text, begin)
		if !ok {
			t.Fatalf("%s: nothing brings the program", cloud)
		}
		brings[bring] = true
		for _, name := range found(t, settings, `RUNNER_BOOTSTRAP_([A-Z_]+)`) {
			option := "| `--" + strings.ToLower(strings.ReplaceAll(name, "_", "-"))
			rows := regexp.MustCompile(regexp.QuoteMeta(option)+"( [A-Z,.]+)?`.*install").FindAllString(options, -1)
			if len(rows) != 1 {
				t.Errorf("%s: install has no option %s", cloud, option)
			}
		}
		for _, needed := range []string{"$version = 'VERSION'\n", "$checksums = 'SHA256'\n", "RUNNER_BOOTSTRAP_URL", "RUNNER_BOOTSTRAP_TOKEN_COMMAND = @'\npowershell.exe "} {
			if strings.Count(settings, needed) != 1 {
				t.Errorf("%s: %q is there %d times", cloud, needed, strings.Count(settings, needed))
			}
		}
		if strings.Contains(bring, "--token") || !strings.Contains(bring, "& $program install --keep-trying\n") ||
			!strings.Contains(bring, releases+"v$version/$Name") || !strings.Contains(bring, "Get-Verified 'checksums.txt' $checksums ") {
			t.Errorf("%s: the program is brought by\n%s", cloud, bring)
		}
		for _, name := range found(t, bring, `'(runner-bootstrap_windows_\w+\.msi)'`) {
			if !slices.Contains(archives(t), strings.Replace(name, ".msi", ".zip", 1)) {
				t.Errorf("%s: %s is in no release", cloud, name)
			}
		}
	}
	if len(brings) != 1 {
		t.Errorf("the clouds differ in how the program is brought: %d ways", len(brings))
	}
}
