package packages

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
)

const unitFile = "packaging/runner-bootstrap-firstboot.service"

// TestFirstBootUnit holds the unit to what the program says of itself.
func TestFirstBootUnit(t *testing.T) {
	t.Parallel()
	unit := read(t, unitFile)
	value := func(key string) string { return found(t, unit, `(?m)^`+key+`=(.*)$`)[0] }

	// A second attempt may help after these; every other code waits for a person.
	retried := []string{"0", "1", "5"}
	_, table, _ := strings.Cut(read(t, "README.md"), "<!-- exit-codes:begin -->")
	table, _, _ = strings.Cut(table, "<!-- exit-codes:end -->")
	var final []string
	for _, code := range found(t, table, `(?m)^\| (\d+) \|`) {
		if !slices.Contains(retried, code) {
			final = append(final, code)
		}
	}
	if got := strings.Fields(value("RestartPreventExitStatus")); !slices.Equal(got, final) {
		t.Errorf("it waits for a person after the exit codes %q, want %q", got, final)
	}

	record := filepath.Join(instance.DefaultPaths("").State, "instances", "*", "record.json")
	if got := value("ConditionPathExistsGlob"); got != "|!"+record {
		t.Errorf("its condition is %q, but runners are recorded in %s", got, record)
	}
	for _, script := range []string{"packaging/scripts/prerm.sh", "packaging/scripts/postrm.sh"} {
		if !strings.Contains(read(t, script), "for record in "+record+"; do") {
			t.Errorf("%s does not look for %s", script, record)
		}
	}
	begun := strings.TrimPrefix(value("ConditionPathExists"), "|")
	for _, line := range []string{
		"ExecStartPre=/bin/touch " + begun, "ExecStartPost=/bin/rm -f " + begun,
		fmt.Sprintf("ExecStopPost=/bin/sh -c 'ls %s >/dev/null 2>&1 || rm -f %s'", record, begun),
		"StateDirectory=" + filepath.Base(filepath.Dir(begun)), "Type=oneshot", "RemainAfterExit=yes", "Restart=on-failure",
		"ExecStart=/usr/bin/runner-bootstrap install",
	} {
		if !strings.Contains(unit, "\n"+line+"\n") {
			t.Errorf("it has no line %s", line)
		}
	}
	if !strings.Contains(read(t, "packaging/scripts/postrm.sh"), " "+filepath.Dir(begun)+"\n") {
		t.Errorf("a purge leaves %s", filepath.Dir(begun))
	}
}
