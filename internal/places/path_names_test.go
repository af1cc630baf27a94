package places

import (
	"os"
	"runtime"
	"strings"
	"testing"
)

func TestMisnamedOnWindows(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		`C:\actions-runner`: "", `C:/actions-runner/a b/c.d`: "", `runners\here`: "", `..\x`: "", `.`: "", `\x`: "", `C:\`: "", `D:\.hidden`: "",
		`C:\x\..\y`: "", `C:\console`: "", `C:\com10`: "", `C:\aux1`: "", `C:\Ünïcode 漢字`: "",
		`C:\x.`: "ends with a dot", `C:\x \y`: "ends with a dot or a blank", `C:\x...`: "ends with a dot", `x `: "or a blank", ` `: "or a blank",
		`C:\CON`: "CON is the name of a device", `C:\a\nul.txt\b`: "nul.txt is the name of a device", `C:\Com1`: "device", `LPT9.log`: "device",
		"C:\\com¹": "device", `C:\aux .x`: "device", `CONOUT$`: "device",
		`C:\a:b`: "has :", `C:\a*b`: "has *", `C:\a?b`: "has ?", `C:\a|b`: "has |", `C:\<a>`: "has <", `C:\"a"`: `has "`,
		`C:foo`: `write C:\foo`, `C:`: `write C:\`, `\\server\share\x`: "another machine", `//server/share`: "another machine",
		`\\?\C:\x`: `without \\?\`, `\\.\C:\x`: `without \\.\`, `AB:\x`: "has :",
	} {
		if got := misnamedOnWindows(path); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

func TestDeviceOfWindows(t *testing.T) {
	t.Parallel()
	for path, device := range map[string]bool{
		`C:\COM1`: true, `con`: true, `D:/x/aux.txt`: true, `C:LPT1`: true,
		`NUL`: false, `C:\NUL`: false, `C:\token`: false, `\\server\share\token`: false, `C:\con\token`: false,
	} {
		if got := deviceOfWindows(path); (got != "") != device {
			t.Errorf("%s: %q", path, got)
		}
	}
}

func TestMisnamed(t *testing.T) {
	t.Parallel()
	for path, misnamed := range map[string]bool{"/opt/a b/c": false, "runners": false, "/opt/a\nb": true, "a\x00b": true, "/x\x7f": true} {
		if got := Misnamed(path); (got != "") != misnamed {
			t.Errorf("%q: %q", path, got)
		}
	}
}

func TestUnreplaced(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("~there", 0o700); err != nil {
		t.Fatal(err)
	}
	for path, unreplaced := range map[string]bool{
		"~": true, "~/x": true, "~root/x": true, "$HOME/x": true, "${HOME}": true, "%ProgramData%/x": runtime.GOOS == "windows",
		"": false, "/opt/~x": false, "./~": false, "a$b": false, "~there": false,
	} {
		if got := Unreplaced(path); (got != "") != unreplaced {
			t.Errorf("%q: %q", path, got)
		}
	}
}
