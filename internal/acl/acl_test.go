package acl

import (
	"errors"
	"strings"
	"testing"
)

const (
	runner   = "S-1-5-80-1-2-3-4-5"
	neighbor = "S-1-5-21-1-2-3-1001"
)

func TestTexts(t *testing.T) {
	t.Parallel()
	const ours = "D:PAI(A;OICI;0x1f01ff;;;S-1-5-18)(A;OICI;0x1f01ff;;;S-1-5-32-544)"
	for name, c := range map[string]struct{ got, want string }{
		"private":       {Private(), ours},
		"a person's":    {Private(neighbor), ours + "(A;OICI;0x1f01ff;;;" + neighbor + ")"},
		"public":        {Public(), ours + "(A;OICI;0x1200a9;;;S-1-1-0)"},
		"a runner's":    {Shared(runner), ours + "(A;OICI;0x1200a9;;;" + runner + ")(A;;0x6;;;" + runner + ")(A;OICIIO;0x1f01ff;;;S-1-3-0)"},
		"given":         {Given(runner), ours + "(A;OICI;0x1301bf;;;" + runner + ")"},
		"a file, given": {GivenFile(runner), "D:PAI(A;;0x1f01ff;;;S-1-5-18)(A;;0x1f01ff;;;S-1-5-32-544)(A;;0x1301bf;;;" + runner + ")"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %s, want %s", name, c.got, c.want)
		}
	}
}

// As C:\ of a new Windows has it, and a drive for data.
func TestStranger(t *testing.T) {
	t.Parallel()
	ours := []access{{sid: system, rights: all}, {sid: administrators, rights: all}}
	root := found{owner: installer, list: append([]access{
		{sid: authenticated, rights: modify, onlyBelow: true}, {sid: authenticated, rights: addFolder}, {sid: users, rights: readExecute},
	}, ours...)}
	data := found{owner: administrators, list: append([]access{{sid: authenticated, rights: modify}}, ours...)}
	closed := found{owner: administrators, list: append([]access{
		{sid: runner, rights: modify, denies: true}, {sid: "S-1-5-21-1-2-3-512", rights: all}, {sid: creatorOwner, rights: all},
	}, ours...)}
	for name, c := range map[string]struct {
		f      found
		rights uint32
		want   string
	}{
		"nobody replaces what is in C:\\":   {root, replace, ""},
		"everybody adds to C:\\":            {root, change, authenticated},
		"everybody sees C:\\":               {root, look, users},
		"everybody replaces what is in it":  {data, replace, authenticated},
		"nobody changes what is closed":     {closed, change | look, ""},
		"nobody sees what has no entry":     {found{}, all, ""},
		"who may set the list may do more":  {found{list: []access{{sid: neighbor, rights: writeDACL}}}, replace, neighbor},
		"who may take it may do more, too":  {found{list: []access{{sid: neighbor, rights: writeOwner}}}, replace, neighbor},
		"who may remove it replaces it":     {found{list: []access{{sid: neighbor, rights: remove}}}, replace, neighbor},
		"who may empty it replaces content": {found{list: []access{{sid: neighbor, rights: deleteChild}}}, replace, neighbor},
	} {
		if got := c.f.stranger(c.rights, administers); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestAllows(t *testing.T) {
	t.Parallel()
	sids := []string{runner, everyone, users}
	for name, c := range map[string]struct {
		list []access
		want bool
	}{
		"nobody":           {nil, false},
		"itself":           {[]access{{sid: runner, rights: readExecute}}, true},
		"by a group":       {[]access{{sid: users, rights: readExecute}}, true},
		"by two":           {[]access{{sid: users, rights: 0x1}, {sid: everyone, rights: 0x20}}, true},
		"half":             {[]access{{sid: users, rights: 0x1}}, false},
		"another one":      {[]access{{sid: neighbor, rights: all}}, false},
		"below alone":      {[]access{{sid: runner, rights: all, onlyBelow: true}}, false},
		"denied first":     {[]access{{sid: runner, rights: 0x1, denies: true}, {sid: users, rights: all}}, false},
		"denied too late":  {[]access{{sid: users, rights: all}, {sid: runner, rights: 0x1, denies: true}}, true},
		"denied to others": {[]access{{sid: neighbor, rights: all, denies: true}, {sid: users, rights: all}}, true},
	} {
		if got := (found{list: c.list}).allows(sids, 0x21); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestAdministers(t *testing.T) {
	t.Parallel()
	for sid, want := range map[string]bool{
		system: true, administrators: true, installer: true, "S-1-5-21-1-2-3-500": true, "S-1-5-21-1-2-3-512": true,
		users: false, everyone: false, authenticated: false, neighbor: false, runner: false, "S-1-5-20": false, "": false,
		"S-1-5-21-1-2-3-1500": false, "S-1-5-80-1-2-3-4-500": false,
	} {
		if administers(sid) != want {
			t.Errorf("%s: %t", sid, !want)
		}
	}
}

func TestGeneral(t *testing.T) {
	t.Parallel()
	for rights, want := range map[uint32]uint32{
		0x10000000: all, 0x80000000: 0x120089, 0xa0000000: readExecute, 0x40000000: 0x120116, modify: modify,
		0xe0010000: modify &^ deleteChild,
	} {
		if got := general(rights); got != want {
			t.Errorf("%#x: %#x, want %#x", rights, got, want)
		}
	}
}

func TestOpenError(t *testing.T) {
	t.Parallel()
	var err error = &OpenError{Path: `C:\rb`, Who: neighbor, Name: `HOST\bob`, Owns: true}
	if !errors.Is(err, ErrOpen) || !strings.HasSuffix(err.Error(), `it belongs to HOST\bob`) {
		t.Error(err)
	}
	const owned, open = `takeown /a /r /f "C:\rb"`, `icacls "D:\my tools" /inheritance:d /remove:g *S-1-5-32-545`
	if got := (&OpenError{Path: `C:\rb`, Who: neighbor, Owns: true}).Command(); got != owned {
		t.Error(got)
	}
	if got := (&OpenError{Path: `D:\my tools\`, Who: users}).Command(); got != open {
		t.Error(got)
	}
	if got := (&OpenError{Path: `D:\`, Who: users}).Command(); !strings.HasPrefix(got, `icacls D:\ /`) {
		t.Error(got)
	}
	if err = (&OpenError{Path: `C:\rb`, Who: users}); !strings.HasSuffix(err.Error(), "so can "+users) {
		t.Error(err)
	}
}
