package account

import (
	"strings"
	"testing"
)

// The two virtual accounts whose SIDs are the same on every Windows, and in its manuals.
func TestServiceSID(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"TrustedInstaller": "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464",
		"trustedINSTALLER": "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464",
		"MSSQLSERVER":      "S-1-5-80-3880718306-3832830129-1677859214-2598158968-1052248003",
	} {
		if got := ServiceSID(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if ServiceSID("actions.runner.a.b") == ServiceSID("actions.runner.a.c") {
		t.Error("two services have the same account")
	}
}

func TestWellKnown(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, sid, called string }{
		{"LocalSystem", sidSystem, "LocalSystem"},
		{"system", sidSystem, "LocalSystem"},
		{`NT AUTHORITY\SYSTEM`, sidSystem, "LocalSystem"},
		{`.\LocalSystem`, sidSystem, "LocalSystem"},
		{"S-1-5-18", sidSystem, "LocalSystem"},
		{"NETWORK SERVICE", sidNetworkService, `NT AUTHORITY\NetworkService`},
		{`nt authority\network service`, sidNetworkService, `NT AUTHORITY\NetworkService`},
		{`NT AUTHORITY\NetworkService`, sidNetworkService, `NT AUTHORITY\NetworkService`},
		{"Local Service", sidLocalService, `NT AUTHORITY\LocalService`},
		{"s-1-5-19", sidLocalService, `NT AUTHORITY\LocalService`},
		{`nt service\TrustedInstaller`, "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464", `NT SERVICE\TrustedInstaller`},
	} {
		if sid, called, known := wellKnown(c.name); !known || sid != c.sid || called != c.called {
			t.Errorf("%s: %s %s %t", c.name, sid, called, known)
		}
	}
	for _, name := range []string{
		"", "runner", `NT SERVICE\`, `NT SERVICE\a\b`, `NT SERVICE\a/b`, `NT SERVICE\` + strings.Repeat("a", 257), `CORP\system`, "S-1-5-21-1-2-3-500",
		`HOST\NETWORK SERVICE`,
	} {
		if sid, _, known := wellKnown(name); known {
			t.Errorf("%q is taken for %s", name, sid)
		}
	}
}

func TestKind(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		user User
		want Kind
	}{
		{User{Name: `NT SERVICE\a`, SID: ServiceSID("a")}, Virtual},
		{User{Name: "S-1-5-80-1-2-3-4-5", SID: "S-1-5-80-1-2-3-4-5"}, Virtual},
		{User{Name: "LocalSystem", SID: sidSystem}, BuiltIn},
		{User{Name: `NT AUTHORITY\NetworkService`, SID: sidNetworkService}, BuiltIn},
		{User{Name: `CORP\ci$`, SID: "S-1-5-21-1-2-3-1104"}, GroupManaged},
		{User{Name: `CORP\ci`, SID: "S-1-5-21-1-2-3-1104"}, Ordinary},
		{User{Name: "runner", UID: 1000}, Ordinary},
		{User{Name: "ci$", UID: 1000}, Ordinary},
	} {
		if got := c.user.Kind(); got != c.want {
			t.Errorf("%+v is %s, want %s", c.user, got, c.want)
		}
	}
}

func TestRootAndSameAndPlanned(t *testing.T) {
	t.Parallel()
	system, network := User{UID: -1, SID: sidSystem}, User{UID: -1, SID: sidNetworkService}
	root, runner, planned := User{}, User{UID: 1000, GID: 1000}, User{Name: "runner", UID: -1, GID: -1}
	for _, c := range []struct {
		user          User
		root, planned bool
	}{{system, true, false}, {network, false, false}, {root, true, false}, {runner, false, false}, {planned, false, true}} {
		if c.user.Root() != c.root || c.user.Planned() != c.planned {
			t.Errorf("%+v: root %t, planned %t", c.user, c.user.Root(), c.user.Planned())
		}
		for _, other := range []User{system, network, root, runner, planned} {
			want := c.user.UID == other.UID && c.user.SID == other.SID && !c.planned
			if c.user.Same(other) != want {
				t.Errorf("%+v and %+v: the same %t", c.user, other, !want)
			}
		}
	}
}
