package infrastructure

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the files of packaging/terraform/tests/expected again")

// module is where the Terraform module is, as seen from here.
const module = "../../packaging/terraform"

// build makes the program as a release of that version; of none if it is empty.
func build(t *testing.T, version string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "runner-bootstrap")
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	command := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-X main.version="+version,
		"-o", program, "../../cmd/runner-bootstrap")
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("building the program: %v\n%s", err, out)
	}
	return program
}

// bare is the environment without what would speak to the program or to Terraform.
func bare() []string {
	return slices.DeleteFunc(os.Environ(), func(variable string) bool {
		return strings.HasPrefix(variable, "RUNNER_") || strings.HasPrefix(variable, "TF_") || strings.HasPrefix(variable, "TERRAFORM_")
	})
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestExpected: each file that the module's tests compare with is what the command in its third line prints.
func TestExpected(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(module, "tests", "expected")
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil || len(files) < 3 {
		t.Fatalf("files %q: %v", files, err)
	}
	tests := read(t, filepath.Join(module, "tests", "same.tftest.hcl"))
	latest, release := build(t, ""), regexp.MustCompile(`releases/download/v([0-9.]+)[/\n]`)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			text := read(t, file)
			program := latest
			if version := release.FindStringSubmatch(text); version != nil {
				program = build(t, version[1])
			}
			lines := strings.SplitN(text, "\n", 4)
			command, ours := strings.CutPrefix(lines[min(2, len(lines)-1)], "#   runner-bootstrap ")
			if !ours {
				t.Fatalf("its third line is no command of ours: %q", lines)
			}
			// The shell splits it, so that the quotes are those that a person types.
			shell := exec.Command("sh", "-c", `program=$1; set -- `+command+`; exec "$program" "$@"`, "sh", program)
			shell.Dir, shell.Env = folder, bare()
			var printed, said bytes.Buffer
			shell.Stdout, shell.Stderr = &printed, &said
			if err := shell.Run(); err != nil {
				t.Fatalf("%s: %v\n%s", command, err, said.String())
			}
			if *update {
				if err := os.WriteFile(file, printed.Bytes(), 0o644); err != nil { //nolint:gosec // a public text
					t.Fatal(err)
				}
			} else if printed.String() != text {
				t.Errorf("it differs from what its command prints; run: go test ./test/infrastructure -update\n%s", printed.String())
			}
			if !strings.Contains(tests, "expected/"+filepath.Base(file)) {
				t.Error("no test of the module compares with it")
			}
		})
	}
}

// TestExamples: the module's tests compare with each example of user data.
func TestExamples(t *testing.T) {
	t.Parallel()
	tests := read(t, filepath.Join(module, "tests", "same.tftest.hcl"))
	examples, err := filepath.Glob("../../packaging/cloud-init/*.yaml")
	if err != nil || len(examples) < 4 {
		t.Fatalf("examples %q: %v", examples, err)
	}
	for _, example := range examples {
		if !strings.Contains(tests, "cloud-init/"+filepath.Base(example)) {
			t.Errorf("no test of the module compares with %s", example)
		}
	}
}

// TestKeys: the module knows the keys that the program takes, no more and no less.
func TestKeys(t *testing.T) {
	t.Parallel()
	help, err := exec.Command(build(t, ""), "cloud-init", "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	// These concern the call of cloud-init, or are variables of the module that have no key.
	calls := []string{"baked", "checksums-sha256", "config", "format", "help", "i-know", "log-format", "log-level", "no-progress", "package", "package-sha256"}
	var want []string
	for _, option := range regexp.MustCompile(`(?m)^ +(?:-h, )?--([a-z0-9-]+)`).FindAllStringSubmatch(string(help), -1) {
		if !slices.Contains(calls, option[1]) {
			want = append(want, option[1])
		}
	}
	got := keys(t)
	for _, key := range want {
		if !slices.Contains(got, key) {
			t.Errorf("main.tf does not know the key %q, which cloud-init takes", key)
		}
	}
	for _, key := range got {
		if !slices.Contains(want, key) {
			t.Errorf("main.tf knows the key %q, which cloud-init does not take", key)
		}
	}
}

// keys are those of both lists in main.tf, but token, which is refused for a reason.
func keys(t *testing.T) []string {
	t.Helper()
	var all []string
	lists := regexp.MustCompile(`(?ms)^  keys(?:_elsewhere)? = \[(.*?)\]`).FindAllStringSubmatch(read(t, filepath.Join(module, "main.tf")), -1)
	if len(lists) != 2 {
		t.Fatalf("main.tf has %d lists of keys, not 2", len(lists))
	}
	for _, list := range lists {
		for _, key := range regexp.MustCompile(`"([a-z0-9-]+)"`).FindAllStringSubmatch(list[1], -1) {
			all = append(all, key[1])
		}
	}
	return slices.DeleteFunc(all, func(key string) bool { return key == "token" })
}
