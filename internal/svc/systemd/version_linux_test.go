package systemd

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"
)

func TestVersion(t *testing.T) {
	for name, c := range map[string]struct {
		answer string
		want   int
		says   string // in the error; none expected if empty
	}{
		"debian":          {"systemd 252 (252.39-1~deb12u1)\n+PAM +AUDIT\n", 252, ""},
		"fedora":          {"systemd 257 (257.3-7.fc42)\n", 257, ""},
		"number alone":    {"systemd 219\n", 219, ""},
		"another program": {"runit\n", 0, `no version in "runit"`},
		"no number":       {"systemd v252\n", 0, `"systemd v252"`},
		"too large":       {"systemd 99999999999999999999\n", 0, "out of range"},
		"nothing":         {"", 0, `no version in ""`},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, fakeInstaller{})
			f.put("version", c.answer)
			got, err := f.host.version(t.Context())
			if got != c.want || (err == nil) != (c.says == "") {
				t.Errorf("version is %d, %v, want %d", got, err, c.want)
			}
			if c.says != "" && (!errors.Is(err, ErrVersion) || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("error is %v, want %q with %q", err, ErrVersion, c.says)
			}
			f.called("systemctl")
		})
	}
}

func TestVersionWithoutAnAnswer(t *testing.T) {
	refuses, hangs := newFake(t, fakeInstaller{}), newFake(t, fakeInstaller{})
	hangs.put("hang-version", "")
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := hangs.host.version(ctx); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrVersion) {
		t.Errorf("one that hangs: %v", err)
	}
	t.Setenv(fakeFolder, refuses.folder)
	refuses.put("fail-version", "broken")
	const want = "asking systemd: exit status 1: broken"
	if _, err := refuses.host.version(t.Context()); err == nil || err.Error() != want || errors.Is(err, ErrVersion) {
		t.Errorf("one that refuses: %v, want %q", err, want)
	}
	gone := host{find: func(string) (string, error) { return "", fs.ErrNotExist }}
	if _, err := gone.version(t.Context()); !errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrVersion) {
		t.Errorf("none: %v", err)
	}
}

// TestJobsApart: only a systemd that says that it is new enough has units for them.
func TestJobsApart(t *testing.T) {
	for answer, want := range map[string]bool{
		"systemd 245 (245.4)\n": true, "systemd 252 (252.39)\n": true, "systemd 244 (244)\n": false, "systemd 239\n": false, "runit\n": false, "": false,
	} {
		f := newFake(t, fakeInstaller{})
		f.put("version", answer)
		if got := f.host.jobsApart(t.Context()); got != want {
			t.Errorf("%q: %v, want %v", answer, got, want)
		}
	}
}
