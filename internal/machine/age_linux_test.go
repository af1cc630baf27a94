package machine

import (
	"os"
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
	if age, known := ageOf("1 (a) b) 3) S 0 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 0 9 9"); !known || age <= 0 {
		t.Errorf("one that began with the system: %s (%t)", age, known)
	}
	for _, bad := range []string{"", "1 (systemd) S 0", "1 (x) S 0 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 later 9"} {
		if age, known := ageOf(bad); known {
			t.Errorf("%q: %s", bad, age)
		}
	}
}
