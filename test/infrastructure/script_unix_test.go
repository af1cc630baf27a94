//go:build unix

package infrastructure

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

const script = "../../scripts/terraform.sh"

// TestModule makes the module's own checks where Terraform is, and says so where it is not.
func TestModule(t *testing.T) {
	t.Parallel()
	command := exec.Command("bash", script)
	command.Env = append(bare(), "TERRAFORM_REQUIRED="+os.Getenv("TERRAFORM_REQUIRED"))
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	last := lines[len(lines)-1]
	if _, err := exec.LookPath("terraform"); err == nil && !strings.HasPrefix(last, "Success!") {
		t.Errorf("Terraform is here, and the last thing that the script says is %q", last)
	}
	t.Log(last)
}

// TestWithoutTerraform: a host without it is told so, and fails only if it must have it.
func TestWithoutTerraform(t *testing.T) {
	t.Parallel()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		required string
		code     int
	}{
		"not required": {"", 0},
		"required":     {"1", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			command := exec.Command(bash, script)
			command.Env = []string{"PATH=" + t.TempDir(), "TERRAFORM_REQUIRED=" + c.required}
			out, _ := command.CombinedOutput()
			if got := command.ProcessState.ExitCode(); got != c.code {
				t.Errorf("it ends with %d, want %d", got, c.code)
			}
			if want := "not checked: terraform is not installed\n"; string(out) != want {
				t.Errorf("it says %q, want %q", out, want)
			}
		})
	}
}
