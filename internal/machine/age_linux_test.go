package machine

import (
	"os"
	"strings"
	"testing"
	"time"
)

// TestAge: a process that has just begun is young, whatever it calls itself, and what is no answer is none.
func TestAge(t *testing.T) {
	t.Parallel()
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		t.Fatal(err)
	}
	if age, known := ageOf(string(stat)); !known || age > 10*time.Minute {
		t.Errorf("this test has run for %s (%t)", age, known)
	}
	before := strings.Repeat(" 99999999999", 18) // as a start, each would be years from now
	if age, known := ageOf("1 (a) b) 3) S" + before + " 0 99999999999"); !known || age <= 0 {
		t.Errorf("one that began with the system: %s (%t)", age, known)
	}
	for _, bad := range []string{"", "1 (systemd) S 0", "1 (x) S" + before + " later 9", "1 (x) S" + before + " 99999999999 0"} {
		if age, known := ageOf(bad); known {
			t.Errorf("%q: %s", bad, age)
		}
	}
}
