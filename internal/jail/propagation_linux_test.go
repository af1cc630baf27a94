package jail

import "testing"

func TestFollows(t *testing.T) {
	t.Parallel()
	const (
		root   = "22 1 254:0 / / rw,relatime "
		below  = "23 22 0:5 / /proc rw shared:7 - proc proc rw\n"
		device = "- ext4 /dev/vda rw\n"
	)
	for name, c := range map[string]struct {
		mounts string
		want   bool
	}{
		"shared, as systemd has it":     {root + "shared:1 " + device + below, true},
		"a service with a sandbox":      {root + "master:1 " + device + below, true},
		"both":                          {root + "shared:2 master:1 " + device, true},
		"private":                       {root + device + below, false},
		"unbindable":                    {root + "unbindable " + device, false},
		"mounted again":                 {root + "shared:1 " + device + "30 22 0:9 / / rw - tmpfs tmpfs rw\n", false},
		"mounted again, and shared":     {root + device + "30 22 0:9 / / rw shared:3 - tmpfs tmpfs rw\n", true},
		"no root":                       {below, false},
		"nothing":                       {"", false},
		"a line that was cut":           {"a b c d / f\n\n", false},
		"a type called like that":       {root + "- shared:1 /dev/vda rw\n", false},
		"white space of Unicode":        {"22 1 254:0 /a\u00a0b\u3000c / rw,relatime shared:1 " + device, true},
		"a root of another file system": {"22 1 254:0 /@ / rw,relatime shared:1 " + device, true},
	} {
		if got := follows(c.mounts); got != c.want {
			t.Errorf("%s: %t, want %t", name, got, c.want)
		}
	}
}
