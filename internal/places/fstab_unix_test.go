//go:build unix

package places

import (
	"strings"
	"testing"
)

func TestUnmounted(t *testing.T) {
	t.Parallel()
	const (
		fstab = "# /srv/none\n/dev/a\t/\text4 defaults 0 1\n/dev/b /srv/jobs/ ext4 defaults 0 2\n/dev/c \t /srv/a\\040b\\011c\\134d ext4\n" +
			"/dev/d /srv/e\u3000f\u00a0g ext4 defaults\n/dev/e none swap sw\n/dev/f /srv/there ext4 defaults\n"
		mounted = "/dev/a / ext4 rw 0 0\n/dev/f /srv/there ext4 rw 0 0\n"
	)
	for path, want := range map[string]string{
		"/srv/none":               "",
		"/srv/jobs/w1":            "/srv/jobs",
		"/srv/a b\tc\\d/w1":       "/srv/a b\tc\\d",
		"/srv/e\u3000f\u00a0g/w1": "/srv/e\u3000f\u00a0g",
		"/srv/e/w1":               "",
		"/srv/there/w1":           "",
	} {
		if got := unmounted(path, strings.NewReader(fstab), mounted); got != want {
			t.Errorf("%q: %q, want %q", path, got, want)
		}
	}
}
