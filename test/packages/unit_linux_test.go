package packages

import (
	"path/filepath"
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
	folder := filepath.Dir(begun)
	for _, line := range []string{
		"EnvironmentFile=-" + begun,
		"StateDirectory=" + filepath.Base(folder), "Type=simple", "Restart=on-abnormal",
		"ExecStart=/usr/bin/runner-bootstrap install --keep-trying",
	} {
		if !strings.Contains(unit, "\n"+line+"\n") {
			t.Errorf("it has no line %s", line)
		}
	}
	for _, key := range []string{"ExecStartPre", "ExecStopPost"} {
		if !strings.Contains(value(key), "d="+folder+";") {
			t.Errorf("%s is not about %s", key, folder)
		}
	}
	if !strings.Contains(value("ExecStopPost"), "! ls "+record+" ") {
		t.Errorf("it does not look for %s when it has ended", record)
	}
	// What the agent of a copy notes; TestCopyBootsAsItsOwn shows that the name is right.
	mark, watch := filepath.Join(instance.DefaultPaths("").Control, "copied"), strings.TrimSuffix(unitFile, ".service")+".path"
	for _, want := range []string{"\nConditionPathExists=|" + mark + "\n", "rm -f " + mark + "'\n", "\nAlso=" + filepath.Base(watch) + "\n"} {
		if !strings.Contains(unit, want) {
			t.Errorf("it does not have %q", want)
		}
	}
	if !strings.Contains(read(t, watch), "\nPathExists="+mark+"\n") {
		t.Errorf("%s does not wait for %s", watch, mark)
	}
	if !strings.Contains(read(t, "packaging/scripts/postrm.sh"), " "+folder+"\n") {
		t.Errorf("a purge leaves %s", folder)
	}
}
