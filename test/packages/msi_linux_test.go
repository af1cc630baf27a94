//go:build e2e

package packages

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
)

// table is one table of a package for the Windows Installer: its rows, by names of columns.
type table struct {
	columns, keys []string
	rows          []map[string]string
}

// tables are all tables of a package that are text.
func tables(t *testing.T, file string) map[string]table {
	t.Helper()
	all := map[string]table{}
	for name := range strings.FieldsSeq(command(t, "msiinfo", "tables", file)) {
		if name == "_ForceCodepage" {
			continue
		}
		lines := strings.Split(strings.TrimSuffix(command(t, "msiinfo", "export", file, name), "\r\n"), "\r\n")
		if len(lines) < 3 {
			t.Fatalf("%s: the table %s has %d lines", file, name, len(lines))
		}
		this := table{columns: strings.Split(lines[0], "\t"), keys: strings.Split(lines[2], "\t")[1:]}
		for _, line := range lines[3:] {
			row := map[string]string{}
			for i, cell := range strings.Split(line, "\t") {
				row[this.columns[i]] = cell
			}
			this.rows = append(this.rows, row)
		}
		all[name] = this
	}
	return all
}

// cell is what a table says in a column of the row whose first column is key.
func cell(t *testing.T, all map[string]table, name, key, column string) string {
	t.Helper()
	for _, row := range all[name].rows {
		if row[all[name].columns[0]] == key {
			return row[column]
		}
	}
	t.Errorf("the table %s has no row %s", name, key)
	return ""
}

// insideMSI: the files of the zip, the right architecture, and tables that the installer can follow.
func insideMSI(t *testing.T, out string) {
	products := map[string]string{}
	for _, platform := range platforms(t) {
		goos, arch, _ := strings.Cut(platform, "/")
		if goos != "windows" {
			continue
		}
		file := filepath.Join(out, stem(platform)+".msi")
		all := tables(t, file)
		filesOfMSI(t, file, unpack(t, filepath.Join(out, stem(platform)+".zip")), all)
		referencesOfMSI(t, file, all)
		for _, want := range [][4]string{
			{"_SummaryInformation", "7", "Value", map[string]string{"amd64": "x64;1033", "arm64": "Arm64;1033"}[arch]},
			{"_SummaryInformation", "14", "Value", "500"}, // without it nothing is taken for arm64
			{"_SummaryInformation", "12", "Value", "2026/11/23 11:19:44"},
			{"Property", "ProductVersion", "Value", "1.0.0"},
			{"Property", "ALLUSERS", "Value", "1"},
			{"Property", "MSIRESTARTMANAGERCONTROL", "Value", "Disable"}, // or the services of runners are stopped, jobs or not
			{"Property", "REBOOT", "Value", "ReallySuppress"},
			{"Property", "UpgradeCode", "Value", upgradeCode}, // never another one
			{"Environment", "Path", "Name", "=-*PATH"},
			{"Environment", "Path", "Value", "[~];[INSTALLDIR]"},
		} {
			if got := cell(t, all, want[0], want[1], want[2]); got != want[3] {
				t.Errorf("%s: in %s, %s of %s is %q, want %q", file, want[0], want[2], want[1], got, want[3])
			}
		}
		code := cell(t, all, "Property", "ProductCode", "Value")
		products[code] = arch
		otherFiles(t, code, arch, unpack(t, filepath.Join(out, stem(platform)+".zip")))
		products[cell(t, all, "_SummaryInformation", "9", "Value")] = arch
	}
	for code := range products {
		if !regexp.MustCompile(`^\{[0-9A-F]{8}-[0-9A-F]{4}-5[0-9A-F]{3}-[89AB][0-9A-F]{3}-[0-9A-F]{12}\}$`).MatchString(code) {
			t.Errorf("%s is no identifier as the installer writes it", code)
		}
	}
	if len(products) != 4 {
		t.Errorf("two packages have %d codes of product and package: %v", len(products), products)
	}
}

// otherFiles: a package of the same version with other files is another product, or the installer would refuse it.
func otherFiles(t *testing.T, code, arch string, zip map[string]member) {
	t.Helper()
	dir := t.TempDir()
	for name, m := range zip {
		if err := os.WriteFile(filepath.Join(dir, name), m.text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	product := func() string {
		t.Helper()
		return strings.TrimSpace(command(t, "env", "SOURCE_DATE_EPOCH="+epoch, filepath.Join(repository, "scripts", "msi.sh"), "--product", "1.0.0", arch, dir))
	}
	if got := product(); got != code {
		t.Errorf("the product code is %s, and msi.sh says %s", code, got)
	}
	if err := os.WriteFile(filepath.Join(dir, "README.md"), []byte("other"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := product(); got == code {
		t.Errorf("with another file the product code is the same, %s", got)
	}
}

// filesOfMSI: what the zip holds, and the sizes that the table promises.
func filesOfMSI(t *testing.T, file string, zip map[string]member, all map[string]table) {
	t.Helper()
	to := t.TempDir()
	command(t, "msiextract", "--directory", to, file)
	var got []string
	for _, row := range all["File"].rows {
		_, name, long := strings.Cut(row["FileName"], "|")
		if !long {
			name = row["FileName"]
		}
		got = append(got, name)
		text, err := os.ReadFile(filepath.Join(to, "runner-bootstrap", name))
		if err != nil {
			t.Fatal(err)
		}
		if row["FileSize"] != fmt.Sprint(len(text)) || sha256.Sum256(text) != sha256.Sum256(zip[name].text) {
			t.Errorf("%s: %s has %d bytes, promised are %s, and the zip has %d: or others", file, name, len(text), row["FileSize"], len(zip[name].text))
		}
	}
	slices.Sort(got)
	if want := []string{"LICENSE", "NOTICES", "README.md", "runner-bootstrap.exe"}; !slices.Equal(got, want) || len(zip) != len(want) {
		t.Errorf("%s holds %q, want %q", file, got, want)
	}
}

// referencesOfMSI: each row that is named is there, and each table that does something has its action in the sequence.
func referencesOfMSI(t *testing.T, file string, all map[string]table) {
	t.Helper()
	for _, of := range [][4]string{
		{"File", "Component_", "Component", "Component"},
		{"Component", "Directory_", "Directory", "Directory"},
		{"Component", "KeyPath", "File", "File"},
		{"File", "File", "MsiFileHash", "File_"},
		{"Environment", "Component_", "Component", "Component"},
		{"FeatureComponents", "Component_", "Component", "Component"},
		{"FeatureComponents", "Feature_", "Feature", "Feature"},
		{"Component", "Component", "FeatureComponents", "Component_"},
		{"Directory", "Directory_Parent", "Directory", "Directory"},
		{"Feature", "Directory_", "Directory", "Directory"},
		{"AppSearch", "Signature_", "DrLocator", "Signature_"},
		{"DrLocator", "Signature_", "Signature", "Signature"},
		{"CustomAction", "Action", "InstallExecuteSequence", "Action"},
		{"ActionText", "Action", "InstallExecuteSequence", "Action"},
	} {
		if len(all[of[0]].rows) == 0 {
			t.Errorf("%s: the table %s is empty", file, of[0])
		}
		for _, row := range all[of[0]].rows {
			there := slices.ContainsFunc(all[of[2]].rows, func(r map[string]string) bool { return r[of[3]] == row[of[1]] })
			if row[of[1]] != "" && !there {
				t.Errorf("%s: %s names %s %s, which is not there", file, of[0], of[2], row[of[1]])
			}
		}
	}
	last := 0
	for _, action := range []string{
		"FindRelatedProducts", "AppSearch", "LaunchConditions", "CostInitialize", "FileCost", "CostFinalize", "InstallValidate", "InstallInitialize",
		"RemoveExistingProducts", "RunnersStay", "ProcessComponents", "RemoveEnvironmentStrings", "RemoveFiles", "InstallFiles",
		"WriteEnvironmentStrings", "RegisterProduct", "PublishProduct", "InstallFinalize",
	} {
		var at int
		if _, err := fmt.Sscan(cell(t, all, "InstallExecuteSequence", action, "Sequence"), &at); err != nil || at <= last {
			t.Errorf("%s: %s is done at %d, after what is done at %d", file, action, at, last)
		}
		last = at
	}
}

// TestSignedRelease: with a certificate everything for Windows is signed by it, without the password in a command line, and
// what is missing is named before anything is made.
func TestSignedRelease(t *testing.T) {
	requireTools(t)
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	const password = "a word with blanks, and ' and \""
	if err := os.WriteFile(at("password"), []byte(password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	command(t, "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", at("key"), "-out", at("certificate"), "-days", "2",
		"-subj", "/CN=Somebody", "-addext", "extendedKeyUsage=codeSigning")
	command(t, "openssl", "pkcs12", "-export", "-inkey", at("key"), "-in", at("certificate"), "-out", at("both.p12"), "-passout", "file:"+at("password"))
	t.Setenv("RUNNER_BOOTSTRAP_SIGN_CERTIFICATE", at("both.p12"))
	refused(t, "RUNNER_BOOTSTRAP_SIGN_PASSWORD_FILE must name a file")
	t.Setenv("RUNNER_BOOTSTRAP_SIGN_PASSWORD_FILE", at("password"))
	refused(t, "RUNNER_BOOTSTRAP_SIGN_TIMESTAMP_URL must be")
	t.Setenv("RUNNER_BOOTSTRAP_SIGN_TIMESTAMP_URL", "none")
	seen := watchArguments(t)
	out := release(t, repository, "1.0.0", "windows/amd64")
	if lines := string(readFile(t, seen)); !strings.Contains(lines, "-readpass") || strings.Contains(lines, "a word with") {
		t.Errorf("osslsigncode was called with\n%s", lines)
	}
	program := at("runner-bootstrap.exe")
	if err := os.WriteFile(program, unpack(t, filepath.Join(out, "runner-bootstrap_windows_amd64.zip"))["runner-bootstrap.exe"].text, 0o600); err != nil {
		t.Fatal(err)
	}
	msi := filepath.Join(out, "runner-bootstrap_windows_amd64.msi")
	command(t, "msiextract", "--directory", dir, msi)
	signed := []string{program, msi, at("runner-bootstrap/runner-bootstrap.exe")}
	if script := filepath.Join(out, "install.ps1"); bytes.Contains(readFile(t, script), []byte("# SIG # Begin signature block")) {
		signed = append(signed, script)
	} else {
		t.Logf("install.ps1 is not signed: %s", command(t, "osslsigncode", "--version"))
	}
	for _, file := range signed {
		if said := command(t, "osslsigncode", "verify", "-CAfile", at("certificate"), "-in", file); !strings.Contains(said, "Succeeded") || !strings.Contains(said, "CN=Somebody") {
			t.Errorf("%s:\n%s", file, said)
		}
	}
	t.Setenv("RUNNER_BOOTSTRAP_SIGN_PASSWORD_FILE", at("certificate"))
	refused(t, "signing runner-bootstrap.exe: ")
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// refused: no release is made, for a reason.
func refused(t *testing.T, why string) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out")
	cmd := exec.CommandContext(t.Context(), filepath.Join(repository, "scripts", "package.sh"), "1.0.0", out, "windows/amd64")
	cmd.Env = append(os.Environ(), "SOURCE_DATE_EPOCH="+epoch)
	said, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(said), why) {
		t.Errorf("want a refusal with %q: %v\n%s", why, err, said)
	}
	if _, err := os.Stat(out); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something was made all the same: %v", err)
	}
}

// watchArguments puts a program before osslsigncode on PATH, which writes down how that is called, and returns the file.
func watchArguments(t *testing.T) string {
	t.Helper()
	real, err := exec.LookPath("osslsigncode")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	seen := filepath.Join(dir, "seen")
	text := "#!/bin/sh\nprintf '%s\\n' \"$*\" >>'" + seen + "'\nexec '" + real + "' \"$@\"\n"
	if err := os.WriteFile(filepath.Join(dir, "osslsigncode"), []byte(text), 0o755); err != nil { //nolint:gosec // it is a program
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return seen
}

// wingetFilled: nothing is left to fill, and digests and product codes are those of the packages.
func wingetFilled(t *testing.T, out string) {
	said := checkWinget(t, func(name string) string {
		text := string(readFile(t, filepath.Join(out, name)))
		if strings.Contains(text, "@") {
			t.Errorf("%s:\n%s", name, text)
		}
		return text
	})["installer"]
	given := sums(t, out)
	for i, address := range said["Installers[].InstallerUrl"] {
		name := path.Base(address)
		code := cell(t, tables(t, filepath.Join(out, name)), "Property", "ProductCode", "Value")
		if said["Installers[].InstallerSha256"][i] != given[name] || said["Installers[].ProductCode"][i] != code ||
			said["Installers[].AppsAndFeaturesEntries[].ProductCode"][i] != code {
			t.Errorf("%s has digest %s and product code %s: %v", name, given[name], code, said)
		}
	}
	if got := said["PackageVersion"]; !slices.Equal(got, []string{"1.0.0"}) {
		t.Errorf("the version is %q", got)
	}
}

// insideNupkg: what Chocolatey looks for, filled in.
func insideNupkg(t *testing.T, out string) {
	members := unzip(t, filepath.Join(out, "runner-bootstrap.1.0.0.nupkg"))
	want := []string{"[Content_Types].xml", "_rels/.rels", "runner-bootstrap.nuspec", "tools/chocolateyinstall.ps1", "tools/chocolateyuninstall.ps1"}
	if got := slices.Sorted(maps.Keys(members)); !slices.Equal(got, want) {
		t.Errorf("it holds %q, want %q", got, want)
	}
	checkNuspec(t, string(members["runner-bootstrap.nuspec"].text), "1.0.0")
	script := string(members["tools/chocolateyinstall.ps1"].text)
	given := sums(t, out)
	for _, arch := range []string{"amd64", "arm64"} {
		if !strings.Contains(script, "'"+given["runner-bootstrap_windows_"+arch+".msi"]+"'") {
			t.Errorf("the digest for %s is not in\n%s", arch, script)
		}
	}
	if strings.Contains(script, "@SHA") || !strings.Contains(script, releases+"v1.0.0/") {
		t.Errorf("something is left to fill:\n%s", script)
	}
}

// insideProve: everything that the script looks for beside itself, for the right processor, and the program of the release.
func insideProve(t *testing.T, out string) {
	for _, arch := range []string{"amd64", "arm64"} {
		members := unzip(t, filepath.Join(out, "runner-bootstrap-prove_windows_"+arch+".zip"))
		want := []string{"LICENSE", "github.exe", "install.ps1", "listener.exe", "prove-windows.ps1", "runner-bootstrap.exe"}
		if got := slices.Sorted(maps.Keys(members)); !slices.Equal(got, want) {
			t.Errorf("for %s it holds %q, want %q", arch, got, want)
		}
		for name, m := range members {
			if !strings.HasSuffix(name, ".exe") {
				continue
			}
			info, err := buildinfo.Read(bytes.NewReader(m.text))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if !slices.ContainsFunc(info.Settings, func(s debug.BuildSetting) bool { return s.Key == "GOARCH" && s.Value == arch }) {
				t.Errorf("%s is not for %s", name, arch)
			}
			if !strings.Contains(string(members["prove-windows.ps1"].text), "'"+name+"'") {
				t.Errorf("the script does not look for %s", name)
			}
		}
		program := unzip(t, filepath.Join(out, "runner-bootstrap_windows_"+arch+".zip"))["runner-bootstrap.exe"]
		if !bytes.Equal(program.text, members["runner-bootstrap.exe"].text) {
			t.Errorf("the program for %s is not that of the release", arch)
		}
	}
}
