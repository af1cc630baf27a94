package installer

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestHiddenFromSudo: a person who types sudo next must be told where sudo does not find the program.
func TestHiddenFromSudo(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../scripts/install.sh")
	if err != nil {
		t.Fatal(err)
	}
	function := regexp.MustCompile(`(?ms)^hidden_from_sudo\(\) \{.*?^\}$`).FindString(string(text))
	if function == "" {
		t.Fatal("the script has no hidden_from_sudo")
	}
	for name, c := range map[string]struct {
		sudoers string
		hidden  bool
	}{
		"as Red Hat has it":     {"Defaults    env_reset\nDefaults    secure_path = /sbin:/bin:/usr/sbin:/usr/bin\n", true},
		"as Debian has it":      {"Defaults\tsecure_path=\"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\"\n", false},
		"in quotes, without it": {"Defaults\tsecure_path=\"/usr/sbin:/usr/bin\"\n", true},
		"switched off":          {"#Defaults secure_path = /sbin:/bin\n", false},
		"without":               {"root ALL=(ALL) ALL\n", false},
		"another with the name": {"Defaults secure_path = /usr/local/bin2:/bin\n", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "sudoers")
			if err := os.WriteFile(file, []byte(c.sudoers), 0o644); err != nil {
				t.Fatal(err)
			}
			script := "set -eu\nbin_dir=/usr/local/bin\n" + strings.ReplaceAll(function, "/etc/sudoers", file) + "\nif hidden_from_sudo; then echo hidden; fi"
			output, err := exec.CommandContext(t.Context(), "sh", "-c", script).CombinedOutput()
			if err != nil || (string(output) == "hidden\n") != c.hidden {
				t.Errorf("it says %q, %v", output, err)
			}
		})
	}
}
