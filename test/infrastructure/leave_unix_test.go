//go:build unix

package infrastructure

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// leave is what the machines of the AWS example run when their runner has ended.
const leave = module + "/examples/aws-autoscaling-group/leave.sh"

// TestLeave: a machine that is taken away ends the wait of its group's hook, and any other is switched off; also one whose
// group does not listen.
func TestLeave(t *testing.T) {
	t.Parallel()
	const complete = "aws autoscaling complete-lifecycle-action --region eu-central-1 --lifecycle-action-result CONTINUE " +
		"--auto-scaling-group-name runners --lifecycle-hook-name wait --instance-id i-0abc\n"
	const pauses = "sleep 0\n" + complete + "sleep 5\n" + complete + "sleep 10\n" + complete
	for name, c := range map[string]struct {
		end    string // how the runner has ended
		refuse string // how often the group refuses, one letter each
		want   string
	}{
		"a job":         {end: "jobs", want: "systemctl poweroff\n"},
		"refused":       {want: "systemctl poweroff\n"}, // by GitHub, for good
		"taken away":    {end: "preempted", want: "sleep 0\n" + complete},
		"at the second": {end: "preempted", refuse: "x", want: "sleep 0\n" + complete + "sleep 5\n" + complete},
		"by spot":       {end: "preempted", refuse: "xxxx", want: pauses + "systemctl poweroff\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			program := func(name, text string) {
				text = "#!/bin/sh\necho \"" + name + " $*\" >>\"$FOLDER/log\"\n" + text
				if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o755); err != nil { //nolint:gosec // it is run
					t.Fatal(err)
				}
			}
			program("systemctl", "")
			program("sleep", "")
			program("aws", "[ ${#REFUSE} -lt $(grep -c '^aws' \"$FOLDER/log\") ]\n")
			if err := os.WriteFile(filepath.Join(folder, "cat"), []byte("#!/bin/sh\necho i-0abc\n"), 0o755); err != nil { //nolint:gosec // it is run
				t.Fatal(err)
			}
			// As the example puts it together.
			shell := exec.Command("/bin/sh", "-c", "GROUP='runners' HOOK='wait' REGION='eu-central-1'\n"+read(t, leave))
			shell.Env = []string{"PATH=" + folder + ":/usr/bin:/bin", "FOLDER=" + folder, "RUNNER_END=" + c.end, "REFUSE=" + c.refuse}
			out, err := shell.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if got := strings.ReplaceAll(read(t, filepath.Join(folder, "log")), "  ", " "); got != c.want {
				t.Errorf("it does\n%swant\n%s", got, c.want)
			}
		})
	}
}
