package account

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/windows"
)

// Windows programs take the environment that is given to them: the shell, and one
// that opens sockets, makes temporary files and looks for programs.
func TestMain(m *testing.M) {
	if os.Getenv("ACCOUNT_TEST_CHILD") != "" {
		if err := child(); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func child() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer listener.Close()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		return err
	}
	defer conn.Close()
	file, err := os.CreateTemp("", "account")
	if err != nil {
		return err
	}
	if err := errors.Join(file.Close(), os.Remove(file.Name())); err != nil {
		return err
	}
	if _, err := exec.LookPath("cmd"); err != nil {
		return err
	}
	home, err := os.UserHomeDir()
	fmt.Printf("home=%s secret=%q\n", home, os.Getenv("RUNNER_BOOTSTRAP_TOKEN"))
	return err
}

// Not parallel: it changes the environment of the process.
func TestEnvironmentIsTheSystems(t *testing.T) {
	t.Setenv("RUNNER_BOOTSTRAP_TOKEN", "s3cr3t")
	t.Setenv("PATH", `Z:\installer`)
	t.Setenv("SystemRoot", `Z:\elsewhere`)
	t.Setenv("TEMP", `Z:\elsewhere`)
	self, err := Lookup("")
	if err != nil {
		t.Fatal(err)
	}
	network, err := Lookup("NETWORK SERVICE")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, u := range []User{self, network, {Name: VirtualName("actions.runner.a.b"), SID: ServiceSID("actions.runner.a.b")}} {
		got := u.Environment(dir, "https_proxy=http://proxy.test", "ACCOUNT_TEST_CHILD=1")
		all := variables{}
		all.add(got...)
		for _, key := range []string{
			"SystemRoot", "windir", "SystemDrive", "ComSpec", "PATHEXT", "PATH", "TEMP", "TMP", "ProgramData", "ProgramFiles",
			"ProgramFiles(x86)", "ProgramW6432", "CommonProgramFiles", "CommonProgramFiles(x86)", "CommonProgramW6432", "ALLUSERSPROFILE",
			"PUBLIC", "NUMBER_OF_PROCESSORS", "PROCESSOR_ARCHITECTURE", "OS", "COMPUTERNAME", "USERPROFILE", "HOMEDRIVE", "HOMEPATH",
			"APPDATA", "LOCALAPPDATA", "USERNAME", "USERDOMAIN", "https_proxy",
		} {
			if value := all.get(key); value == "" || strings.Contains(value, "%") {
				t.Errorf("%s: %s is %q", u.Name, key, value)
			}
		}
		if text := strings.Join(got, "\n"); strings.Contains(text, "s3cr3t") || strings.Contains(text, `Z:\installer`) || strings.Contains(text, `Z:\elsewhere`) {
			t.Errorf("%s: the environment has something of ours: %s", u.Name, text)
		}
		if !slices.IsSortedFunc(got, strings.Compare) {
			t.Errorf("%s: not in order", u.Name)
		}
		runs(t, got, all.get("USERPROFILE"))
	}
}

// runs starts real programs with an environment.
func runs(t *testing.T, environment []string, home string) {
	t.Helper()
	shell := exec.Command("cmd.exe", "/d", "/c", "echo %SystemRoot%& echo %PATH%")
	shell.Path, shell.Err = `C:\windows\system32\cmd.exe`, nil
	shell.Env = environment
	said, err := shell.CombinedOutput()
	if err != nil || !strings.Contains(strings.ToLower(string(said)), `c:\windows`) || strings.Contains(string(said), "%") {
		t.Errorf("cmd says %q, %v", said, err)
	}
	own := exec.Command(os.Args[0])
	own.Env = environment
	said, err = own.CombinedOutput()
	if err != nil || strings.TrimSpace(string(said)) != fmt.Sprintf(`home=%s secret=""`, home) {
		t.Errorf("a program says %q, %v", said, err)
	}
}

func TestProfileOnAnotherDrive(t *testing.T) {
	t.Parallel()
	other := User{Name: `CORP\ci`, SID: "S-1-5-21-1-2-3-1104", Home: `Z:\`}
	all := variables{}
	all.add(other.Environment(`C:\rb\runner`)...)
	if all.get("HOMEDRIVE") != "Z:" || all.get("HOMEPATH") != `\` || all.get("USERPROFILE") != `Z:\` || all.get("LOCALAPPDATA") != `Z:\AppData\Local` {
		t.Errorf("%v", all)
	}
	if all.get("USERNAME") != "ci" || all.get("USERDOMAIN") != "CORP" {
		t.Errorf("%v", all)
	}
	other.Home = `Q:\gone`
	all = variables{}
	all.add(other.Environment(`C:\rb\runner`)...)
	if all.get("HOMEDRIVE") != "C:" || all.get("HOMEPATH") != `\rb\runner` || all.get("USERPROFILE") != `C:\rb\runner` {
		t.Errorf("without its profile: %v", all)
	}
}

func TestExpand(t *testing.T) {
	t.Parallel()
	v := variables{}
	v.add("SystemRoot=C:\\Windows", "A=1")
	for text, want := range map[string]string{
		`%SystemRoot%\system32;%systemroot%`: `C:\Windows\system32;C:\Windows`, "%none%%a%": "%none%1", "100%": "100%", "%a": "%a", "": "", "%%a%": "%1",
	} {
		if got := v.expand(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestLookupOfAccountsForServices(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]User{
		`NT SERVICE\actions.runner.a.b`: {Name: `NT SERVICE\actions.runner.a.b`, SID: ServiceSID("actions.runner.a.b")},
		"NT AUTHORITY\\NETWORK SERVICE": {Name: `NT AUTHORITY\NetworkService`, SID: sidNetworkService},
		"LocalSystem":                   {Name: "LocalSystem", SID: sidSystem},
	} {
		u, err := Lookup(name)
		if err != nil || u.Name != want.Name || u.SID != want.SID || u.UID != -1 || u.Self || u.Planned() || u.StartName() != want.Name {
			t.Errorf("%s: %+v, %v", name, u, err)
		}
	}
	for _, name := range []string{`NT SERVICE\`, `NT SERVICE\a\b`, "Users", "Administrators", "no\x00body"} {
		if u, err := Lookup(name); !errors.Is(err, ErrAbsent) {
			t.Errorf("%q: %+v, %v", name, u, err)
		}
	}
}

// The SID in the token counts: a host may have no name for it, or another one.
func TestSelfBySID(t *testing.T) {
	t.Parallel()
	of, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		t.Fatal(err)
	}
	u, err := Lookup(of.User.Sid.String())
	if err != nil || !u.Self || u.SID != of.User.Sid.String() || u.Home == "" {
		t.Errorf("%+v, %v", u, err)
	}
	if u.OwnHome() != filepath.Clean(u.Home) {
		t.Errorf("its home is %q of %q", u.OwnHome(), u.Home)
	}
}

func TestSpellings(t *testing.T) {
	t.Parallel()
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]string{
		"ci": {host + `\ci`, "ci"}, `.\ci`: {host + `\ci`}, `CORP\ci`: {`CORP\ci`}, "ci@corp.test": {"ci@corp.test"},
	} {
		if got := spellings(name); !slices.Equal(got, want) {
			t.Errorf("%s: %q", name, got)
		}
	}
	local := User{Name: host + `\ci`}
	if got := local.StartName(); got != `.\ci` {
		t.Errorf("it is started as %q", got)
	}
}

// The account of Wine is an administrator; which a test on another Windows is run as is not known.
func TestPowers(t *testing.T) {
	t.Parallel()
	self, err := Lookup("")
	if err != nil {
		t.Fatal(err)
	}
	if got := self.Powers(); Privileged() && !slices.Contains(got, "Administrators") {
		t.Errorf("an administrator's are %q", got)
	}
	for _, u := range []User{
		{Name: VirtualName("a"), SID: ServiceSID("a")},
		{Name: `NT AUTHORITY\NetworkService`, SID: sidNetworkService},
		{Name: "ci", UID: -1},
		{Name: `CORP\ci`, SID: "S-1-5-21-1-2-3-1104"},
	} {
		if got := u.Powers(); len(got) > 0 {
			t.Errorf("%s has %q", u.Name, got)
		}
	}
}
