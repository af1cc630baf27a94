package register

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
)

// A variable that was written and is not wanted any more goes; what somebody has made
// of it since, and every other line, stays.
func TestWriteEnvironmentDrops(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, before string
		want, drop   []string
		after        string
	}{
		{"one of two", "A=1\nB=2\n", nil, []string{"A=1"}, "B=2\n"},
		{"the last one", "A=1\n", nil, []string{"A=1"}, ""},
		{"with others wanted", "A=1\nB=2\n", []string{"B=3"}, []string{"A=1"}, "B=3\n"},
		{"one that was given another value", "A=other\nB=2\n", nil, []string{"A=1"}, "A=other\nB=2\n"},
		{"one that is not there", "B=2\n", nil, []string{"A=1"}, "B=2\n"},
		{"names that begin alike", "AB=1\nA=1 \n", nil, []string{"A=1"}, "AB=1\nA=1 \n"},
		{"lines of an operator", "# mine\nA=1\nMINE=1\n", nil, []string{"A=1"}, "# mine\nMINE=1\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			put(t, root, map[string]string{".env": c.before})
			differs, err := EnvironmentDiffers(root, c.want, c.drop)
			if err != nil || differs != (c.before != c.after) {
				t.Errorf("differs: %t, %v", differs, err)
			}
			if changed, err := WriteEnvironment(root, account.User{Self: true}, c.want, c.drop); err != nil || changed != differs {
				t.Errorf("changed: %t, %v", changed, err)
			}
			if text, err := os.ReadFile(filepath.Join(root, ".env")); err != nil || string(text) != c.after {
				t.Errorf("%q, %v, want %q", text, err, c.after)
			}
		})
	}
}

func TestMergeEnvironment(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, before string
		want         []string
		after        string
	}{
		{"nothing into nothing", "", nil, ""},
		{"into nothing", "", []string{"A=1", "B=2"}, "A=1\nB=2\n"},
		{"nothing", "LANG=C\n\nX=1", nil, "LANG=C\n\nX=1"},
		{"what is there already", "LANG=C\n\nA=1", []string{"A=1"}, "LANG=C\n\nA=1"},
		{"beside others", "LANG=C\n", []string{"A=1"}, "LANG=C\nA=1\n"},
		{"without a final newline", "LANG=C", []string{"A=1"}, "LANG=C\nA=1\n"},
		{"in its place", "A=0\nLANG=C\n", []string{"A=1"}, "A=1\nLANG=C\n"},
		{"in all its places", "A=0\nLANG=C\nA=2\n", []string{"A=1"}, "A=1\nLANG=C\nA=1\n"},
		{"in the place that counts", "A=1\nA=2\n", []string{"A=1"}, "A=1\nA=1\n"},
		{"the last of two wins", "", []string{"A=1", "A=2"}, "A=2\n"},
		{"names that begin alike", "AB=0\n", []string{"A=1"}, "AB=0\nA=1\n"},
		{"names differ by case", "a=0\n", []string{"A=1"}, "a=0\nA=1\n"},
		{"a value with an equals sign", "A=x=y\n", []string{"A=z=w="}, "A=z=w=\n"},
		{"an empty value", "A=1\n", []string{"A="}, "A=\n"},
		{"lines that are no variables", "# a remark\nA\n", []string{"A=1"}, "# a remark\nA\nA=1\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			if c.before != "" {
				put(t, root, map[string]string{".env": c.before})
			}
			us, err := account.Lookup("")
			if err != nil {
				t.Fatal(err)
			}
			differs, err := EnvironmentDiffers(root, c.want, nil)
			if err != nil || differs != (c.before != c.after) {
				t.Errorf("differs: %t, %v", differs, err)
			}
			changed, err := WriteEnvironment(root, us, c.want, nil)
			if err != nil || changed != differs {
				t.Errorf("changed: %t, %v, differed: %t", changed, err, differs)
			}
			if text, err := os.ReadFile(filepath.Join(root, ".env")); string(text) != c.after || err != nil && c.after != "" {
				t.Errorf("%q, %v, want %q", text, err, c.after)
			}
			if again, err := WriteEnvironment(root, us, c.want, nil); err != nil || again {
				t.Errorf("changed again: %t, %v", again, err)
			}
		})
	}
}

// A value of two lines would be another variable, which grows at each run.
func TestVariablesThatAreNone(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	put(t, root, map[string]string{".env": "LANG=C\n"})
	for _, variable := range []string{"", "A", "=1", "A=1\nB=2", "A\nB=1", "A=1\r", "A=\x00"} {
		if _, err := EnvironmentDiffers(root, []string{variable}, nil); err == nil {
			t.Errorf("%q can be looked for", variable)
		}
		if _, err := WriteEnvironment(root, account.User{Self: true}, []string{"X=1", variable}, nil); err == nil {
			t.Errorf("%q was written", variable)
		}
	}
	if text, err := os.ReadFile(filepath.Join(root, ".env")); err != nil || string(text) != "LANG=C\n" {
		t.Errorf("%q, %v", text, err)
	}
}

// What is too long to be read whole must not be written back in part.
func TestHugeEnvironmentIsLeftAlone(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	put(t, root, map[string]string{".env": strings.Repeat("A=0123456789\n", maxFile/10)})
	if changed, err := WriteEnvironment(root, account.User{Self: true}, []string{"B=1"}, nil); err == nil || changed {
		t.Errorf("%t, %v", changed, err)
	}
}

func TestVariableNames(t *testing.T) {
	got := strings.Join(VariableNames([]string{"A=1", "PASSWORD=x=y", "EMPTY="}), ",")
	if want := "A,PASSWORD,EMPTY"; got != want {
		t.Errorf("got %s, want %s: values may be secrets", got, want)
	}
}
