//go:build e2e && linux

package packages

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// readPowerShell has scripts of PowerShell read, and returns what was found.
func readPowerShell(t *testing.T, files ...string) (string, error) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), filepath.Join(repository, "scripts", "powershell.sh"), files...).CombinedOutput()
	return string(out), err
}

// TestPowerShell: as far as can be seen where nothing runs them, the scripts of PowerShell are right.
func TestPowerShell(t *testing.T) {
	t.Parallel()
	var files []string
	for _, top := range []string{"scripts", "packaging"} {
		err := filepath.WalkDir(filepath.Join(repository, top), func(name string, _ fs.DirEntry, err error) error {
			if filepath.Ext(name) == ".ps1" {
				files = append(files, name)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for cloud, text := range userData(t) {
		file := filepath.Join(t.TempDir(), cloud+".ps1")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	if out, err := readPowerShell(t, files...); err != nil || len(files) < 3 {
		t.Errorf("%v, of %q:\n%s", err, files, out)
	}
}

// TestPowerShellIsJudged: what is wrong in a script is found, each kind of it.
func TestPowerShellIsJudged(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]string{
		"if ($true) {":                 "syntax:",
		"$a = $true ? 1 : 2":           "syntax:",
		"$a = $null ?? 1":              "syntax:",
		"Get-Item 'a' && Get-Item 'b'": "has no && and ||",
		"Write-Output 'fünf'":          "would misread",
		"Write-Output $pah":            "the script does not set $pah",
		"Write-Output \"a ${pah} b\"":  "the script does not set ${pah}",
		"function A { $x = 1; B }; function B { Write-Output $x }; A": "B does not set $x",
		"Get-Itm 'a'":              "no function here, and not known: Get-Itm",
		"Get-Item -LiteralPth 'a'": "Get-Item has no parameter -LiteralPth",
		"function A([string]$B) { Write-Output $B }; A -C 1": "A has no parameter -C",
		"function A { Write-Output 1 }":                      "nothing calls A",
		"function A([int]$B) { foreach ($i in 1, $B) { $i } }; A -B 1; $x = @{ Y = 1 }; Get-Item @x; Write-Output $env:Path, $_": "",
	} {
		t.Run(script, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "script.ps1")
			if err := os.WriteFile(file, []byte(script+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := readPowerShell(t, file)
			if (err == nil) != (want == "") || !strings.Contains(out, want) || want == "" && out != "" {
				t.Errorf("want %q: %v\n%s", want, err, out)
			}
		})
	}
}
