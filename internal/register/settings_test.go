package register

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
)

const mark = "\xef\xbb\xbf" // byte order mark

// put writes files into a runner root.
func put(t *testing.T, root string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		file := filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestReadSettings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		files map[string]string
		want  Settings
		err   error  // of a sentinel
		says  string // of any other
	}{
		{name: "nothing", err: ErrNotConfigured},
		{name: "credentials alone", files: map[string]string{".credentials": "{}"}, err: ErrNotConfigured},
		{
			name: "by config.sh",
			files: map[string]string{".runner": mark + `{
				"agentId": 7, "agentName": "web-1", "poolId": 1, "poolName": "Default", "ephemeral": true,
				"serverUrl": "https://pipelines.test/", "gitHubUrl": "https://github.com/octo-org", "workFolder": "_work"}`},
			want: Settings{ID: 7, Name: "web-1", URL: "https://github.com/octo-org", Work: "_work", Ephemeral: true},
		},
		{
			name:  "by a JIT configuration",
			files: map[string]string{".runner": `{"AgentId":"7","AgentName":"web-1","Ephemeral":"True","DisableUpdate":"False","PoolName":null,"WorkFolder":"_w"}`},
			want:  Settings{ID: 7, Name: "web-1", Work: "_w", Ephemeral: true},
		},
		{name: "not ephemeral", files: map[string]string{".runner": `{"agentId":7,"ephemeral":false}`}, want: Settings{ID: 7}},
		{name: "not ephemeral, as a word", files: map[string]string{".runner": `{"agentId":7,"ephemeral":"False"}`}, want: Settings{ID: 7}},
		{name: "a large number", files: map[string]string{".runner": `{"agentId":9007199254740993}`}, want: Settings{ID: 9007199254740993}},
		{
			name:  "migrated wins",
			files: map[string]string{".runner": `{"agentId":7}`, ".runner_migrated": mark + `{"agentId":8}`},
			want:  Settings{ID: 8},
		},
		{name: "migrated alone", files: map[string]string{".runner_migrated": `{"agentId":8}`}, want: Settings{ID: 8}},
		{name: "migrated is garbage", files: map[string]string{".runner": `{"agentId":7}`, ".runner_migrated": `x`}, says: ".runner_migrated: not JSON"},
		{name: "empty", files: map[string]string{".runner": ""}, says: ".runner: not JSON"},
		{name: "garbage", files: map[string]string{".runner": "\x00\xff"}, says: "not JSON"},
		{name: "cut", files: map[string]string{".runner": `{"agentId":7,`}, says: "not JSON"},
		{name: "a list", files: map[string]string{".runner": `[1]`}, says: "not JSON"},
		{name: "null", files: map[string]string{".runner": `null`}, says: `agentId "" is not a number`},
		{name: "no id", files: map[string]string{".runner": `{"agentName":"web-1"}`}, says: `agentId "" is not a number`},
		{name: "an id that is no number", files: map[string]string{".runner": `{"agentId":"x"}`}, says: `agentId "x" is not a number`},
		{name: "an id with a fraction", files: map[string]string{".runner": `{"agentId":1.5}`}, says: "is not a number"},
		{name: "an id beyond all numbers", files: map[string]string{".runner": `{"agentId":99999999999999999999}`}, says: "is not a number"},
		{name: "huge", files: map[string]string{".runner": `{"agentId":7,"agentName":"` + strings.Repeat("x", maxFile) + `"}`}, says: "has more than 1048576 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			put(t, root, c.files)
			if half := len(c.files) > 0 && c.err == nil && c.says == ""; half {
				if got, err := ReadSettings(root); !errors.Is(err, ErrNotConfigured) {
					t.Errorf("without credentials: %+v, %v", got, err)
				}
			}
			put(t, root, map[string]string{".credentials": "{}"})
			got, err := ReadSettings(root)
			switch {
			case c.err != nil && !errors.Is(err, c.err):
				t.Errorf("%+v, %v, want %v", got, err, c.err)
			case c.says != "" && (err == nil || errors.Is(err, ErrNotConfigured) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), strconv.Quote(root))):
				t.Errorf("%+v, %v, want %q", got, err, c.says)
			case c.err == nil && c.says == "" && err != nil:
				t.Error(err)
			}
			if got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

func TestReadSettingsOfNoRoot(t *testing.T) {
	t.Parallel()
	if got, err := ReadSettings(filepath.Join(t.TempDir(), "none")); !errors.Is(err, ErrNotConfigured) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestForget(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	files := map[string]string{".env": "x", ".path": "x", "config.sh": "x"}
	put(t, root, files)
	for _, name := range credentialFiles() {
		put(t, root, map[string]string{name: "x"})
	}
	for range 2 {
		if err := Forget(root); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(root)
	if err != nil || len(entries) != len(files) {
		t.Errorf("left: %v, %v, want %d others", entries, err, len(files))
	}
	if err := Forget(filepath.Join(root, "none")); err != nil {
		t.Errorf("of no root: %v", err)
	}
	put(t, root, map[string]string{".runner/x/y": "", ".credentials_rsaparams/x": ""})
	if err := Forget(root); err != nil {
		t.Errorf("with folders in the places of its files: %v", err)
	}
	if entries, err := os.ReadDir(root); err != nil || len(entries) != len(files) {
		t.Errorf("left: %v, %v, want %d others", entries, err, len(files))
	}
	if err := Forget(filepath.Join(root, "config.sh")); err == nil {
		t.Error("what is no folder is a root")
	}
}

// What config.sh was refused means the same as what we were.
func TestARefusalOfConfigHasACause(t *testing.T) {
	t.Parallel()
	for status, c := range map[string]struct {
		said  string
		cause error
	}{
		"Forbidden":                  {"Repository was archived so is read-only.", github.ErrPolicy},
		"Gone":                       {"This is gone.", github.ErrWithdrawn},
		"UnavailableForLegalReasons": {"Repository access blocked", github.ErrPolicy},
	} {
		line := "Http response code: " + status + " from 'POST https://api.github.com/actions/runner-registration' (Request Id: 1)"
		err := explain("configuring", []string{line, `{"message":"` + c.said + `"}`, "x"})
		if want := "configuring the runner: GitHub refused it: " + c.said; !errors.Is(err, c.cause) || err.Error() != want {
			t.Errorf("%s: %v, want %s, %v", status, err, want, c.cause)
		}
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	post := "Http response code: %s from 'POST https://api.github.com/actions/runner-registration' (Request Id: 1234)"
	for _, c := range []struct {
		name  string
		lines []string
		want  error
		said  string
	}{
		{"nothing", nil, ErrUnknown, ""},
		{"no url", []string{"Invalid configuration provided for url. Terminating unattended configuration."}, ErrUnknown, "Terminating unattended"},
		{"bad token", []string{strings.ReplaceAll(post, "%s", "NotFound"), `{"message":"Not Found"}`, "Response status code does not indicate success: 404 (Not Found)."}, ErrTokenRefused, "NotFound from 'POST"},
		{"expired token", []string{strings.ReplaceAll(post, "%s", "Unauthorized"), "Response status code does not indicate success: 401 (Unauthorized)."}, ErrTokenRefused, "Unauthorized from"},
		{"no trace of the request", []string{"Response status code does not indicate success: 404 (Not Found)."}, ErrTokenRefused, "404 (Not Found)"},
		{"too old", []string{strings.ReplaceAll(post, "%s", "NotFound"), "ERROR: Your runner version is out of date and can no longer register with GitHub. The minimum runner version required is 2.329.0.", "404 (Not Found)"}, ErrTooOld, "can no longer register"},
		{"503", []string{strings.ReplaceAll(post, "%s", "ServiceUnavailable"), "x", "503 (Service Unavailable)."}, ErrUnreachable, "ServiceUnavailable"},
		{"500", []string{strings.ReplaceAll(post, "%s", "InternalServerError")}, ErrUnreachable, "InternalServerError"},
		{"502", []string{strings.ReplaceAll(post, "%s", "BadGateway")}, ErrUnreachable, "BadGateway"},
		{"504", []string{strings.ReplaceAll(post, "%s", "GatewayTimeout")}, ErrUnreachable, "GatewayTimeout"},
		{"429", []string{strings.ReplaceAll(post, "%s", "TooManyRequests")}, github.ErrRateLimited, "Too Many Requests"},
		{"abuse", []string{strings.ReplaceAll(post, "%s", "Forbidden"), `{"message":"You have triggered an abuse detection mechanism."}`, "403 (Forbidden)."}, github.ErrRateLimited, "abuse detection"},
		{"disabled", []string{strings.ReplaceAll(post, "%s", "Forbidden"), "{", `"message": "Repository level self-hosted runners are disabled on this repository"`, "}", "403 (Forbidden)."}, ErrRefused, "runners are disabled"},
		{"role", []string{strings.ReplaceAll(post, "%s", "Forbidden"), `{"message":"Must have admin rights to Repository."}`}, ErrRefused, "Must have admin rights"},
		{"forbidden without a sentence", []string{strings.ReplaceAll(post, "%s", "Forbidden"), "403 (Forbidden)."}, ErrRefused, "Forbidden"},
		{"451", []string{strings.ReplaceAll(post, "%s", "UnavailableForLegalReasons"), `{"message":"Repository access blocked"}`}, ErrRefused, "access blocked"},
		{"refused", []string{"Connection refused (api.github.com:443)"}, ErrUnreachable, "Connection refused"},
		{"no such name", []string{"Name or service not known (api.github.com:443)"}, ErrUnreachable, "not known"},
		{"untrusted", []string{"The SSL connection could not be established, see inner exception."}, ErrUnreachable, "SSL connection"},
		{"group", []string{"√ Connected to GitHub", `Could not find any self-hosted runner group named "x".`}, ErrGroupUnknown, "runner group named"},
		{"name", []string{"A runner exists with the same name", "A runner exists with the same name web-1."}, ErrNameTaken, "exists with the same name"},
		{"name taken, and to be replaced", []string{"A runner exists with the same name", strings.ReplaceAll(post, "%s", "ServiceUnavailable")}, ErrUnreachable, "ServiceUnavailable"},
		{"name taken between look and act", []string{strings.ReplaceAll(post, "%s", "Conflict"), "409 (Conflict)."}, ErrConflict, "Conflict from"},
		{"configured", []string{"Cannot configure the runner because it is already configured."}, ErrUnknown, "already configured"},
		{"labels", []string{"Disabling default labels via --no-default-labels without specifying --labels is not supported"}, ErrUnknown, "--labels is not supported"},
		{"libraries", []string{"\tlibssl.so.3 => not found", "Dependencies is missing for Dotnet Core 6.0", "Execute sudo ./bin/installdependencies.sh"}, ErrLibraries, "Dependencies is missing"},
		{"libicu", []string{"Libicu's dependencies is missing for Dotnet Core 6.0"}, ErrLibraries, "Libicu's"},
		{"ldd", []string{"Can not find 'ldd'. Please install 'ldd' and try again."}, ErrLibraries, "Please install 'ldd'"},
		{"ldconfig", []string{"Can not find 'ldconfig' in PATH and '/sbin/ldconfig' doesn't exists either. Please install 'ldconfig' and try again."}, ErrLibraries, "Please install 'ldconfig'"},
		{"gone", []string{"Http response code: NotFound from 'DELETE https://api.github.com/orgs/octo-org/actions/runners/7' (Request Id: 1)", "404 (Not Found)."}, ErrGone, "from 'DELETE"},
		{"busy", []string{"Http response code: UnprocessableEntity from 'DELETE x'", `{"message":"Runner \"web-1\" is currently running a job and cannot be deleted."}`}, ErrBusy, "running a job"},
		{"root", []string{"Must not run with sudo"}, ErrUnknown, "Must not run with sudo"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := explain("configuring", c.lines)
			if !errors.Is(err, c.want) || !strings.Contains(err.Said, c.said) || !strings.Contains(err.Error(), "configuring the runner: "+c.want.Error()) {
				t.Errorf("%v, want %v with %q", err, c.want, c.said)
			}
			if c.said != "" && err.Refusal == nil && !strings.Contains(err.Error(), Program+" said") {
				t.Errorf("%v does not quote it", err)
			}
		})
	}
}
