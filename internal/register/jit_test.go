package register

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
)

const jitSettings = `{"AgentId":"42","AgentName":"job-1","WorkFolder":"_work","Ephemeral":"True","ServerUrl":"https://pipelines.test"}`

// encoded makes a just-in-time configuration of files.
func encoded(t *testing.T, files map[string]string) secret.Secret {
	t.Helper()
	packed := map[string]string{}
	for name, content := range files {
		packed[name] = base64.StdEncoding.EncodeToString([]byte(content))
	}
	text, err := json.Marshal(packed)
	if err != nil {
		t.Fatal(err)
	}
	return secret.New(base64.StdEncoding.EncodeToString(text))
}

func jitFiles() map[string]string {
	return map[string]string{".runner": jitSettings, ".credentials": `{"Scheme":"OAuth"}`, ".credentials_rsaparams": `{"d":"hidden"}`}
}

func TestJITConfig(t *testing.T) {
	t.Parallel()
	files := jitFiles()
	files[".runner_migrated"] = jitSettings
	config, err := ParseJITConfig(encoded(t, files))
	if err != nil {
		t.Fatal(err)
	}
	if want := (Settings{ID: 42, Name: "job-1", Work: "_work", Ephemeral: true}); config.Settings != want {
		t.Errorf("%+v", config.Settings)
	}
	if text := fmt.Sprintf("%v %+v %#v", config, config, config); strings.Contains(text, "hidden") || strings.Contains(text, "OAuth") {
		t.Errorf("it prints %s", text)
	}
}

// What the runner will speak to is told, whichever file it stands in.
func TestJITConfigNamesItsServers(t *testing.T) {
	t.Parallel()
	files := jitFiles()
	files[".credentials"] = "\xef\xbb\xbf" + `{"Scheme":"OAuth","Data":{"ClientId":"x","AuthorizationUrl":"https://token.test/a"}}`
	files[".runner_migrated"] = `{"agentId":42,"agentName":"job-1","gitHubUrl":"https://github.test/o","serverUrlV2":"https://broker.test"}`
	config, err := ParseJITConfig(encoded(t, files))
	if want := []string{"https://token.test/a", "https://pipelines.test", "https://github.test/o", "https://broker.test"}; err != nil || !slices.Equal(config.Servers, want) {
		t.Errorf("%q, %v, want %q", config.Servers, err, want)
	}
}

func TestWhatIsNoJITConfig(t *testing.T) {
	t.Parallel()
	with := func(name, content string) secret.Secret {
		files := jitFiles()
		files[name] = content
		return encoded(t, files)
	}
	text := func(plain string) secret.Secret {
		return secret.New(base64.StdEncoding.EncodeToString([]byte(plain)))
	}
	lone := jitFiles()
	maps.DeleteFunc(lone, func(name, _ string) bool { return name != ".runner" })
	for name, c := range map[string]struct {
		secret secret.Secret
		says   string
	}{
		"nothing":            {secret.Secret{}, "it holds no files"},
		"no base64":          {secret.New("ghp_secret!"), "it is not base64"},
		"no JSON":            {text("secret"), "it holds no files"},
		"another JSON":       {text(`["secret"]`), "it holds no files"},
		"a file above":       {with("../.runner", "secret"), `"../.runner" is no file of a registration`},
		"a program":          {with("run.sh", "secret"), `"run.sh" is no file`},
		"an environment":     {with(".env", "secret"), `".env" is no file`},
		"a folder":           {with(".runner/x", "secret"), "is no file"},
		"an empty file":      {with(".credentials", " "), `".credentials" is empty or not base64`},
		"no base64 within":   {text(`{".runner":"secret!"}`), `".runner" is empty or not base64`},
		"no settings":        {encoded(t, map[string]string{".credentials": "secret", ".credentials_rsaparams": "secret"}), "it lacks a file"},
		"settings alone":     {encoded(t, lone), "it lacks a file"},
		"settings in pieces": {with(".runner", "{secret"), ".runner: not JSON"},
		"no id":              {with(".runner", `{"AgentName":"job-1"}`), "agentId"},
		"no name":            {with(".runner", `{"AgentId":"42"}`), "it names no runner"},
	} {
		_, err := ParseJITConfig(c.secret)
		if !errors.Is(err, ErrJITConfig) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v shows what it holds", name, err)
		}
	}
}

func TestTake(t *testing.T) {
	t.Parallel()
	config, err := ParseJITConfig(encoded(t, jitFiles()))
	if err != nil {
		t.Fatal(err)
	}
	k := keptIn(t)
	for range 2 {
		settings, err := k.Take(config)
		if err != nil || settings != config.Settings {
			t.Fatalf("%+v, %v", settings, err)
		}
	}
	left, err := os.ReadDir(k.folder())
	if err != nil || len(left) != 3 {
		t.Fatalf("%v, %v", left, err)
	}
	for _, file := range left {
		info, err := file.Info()
		if err != nil || runtime.GOOS != "windows" && info.Mode() != 0o600 {
			t.Errorf("%s is %v, %v", file.Name(), info.Mode(), err)
		}
		text, err := os.ReadFile(filepath.Join(k.folder(), file.Name()))
		if err == nil && file.Name() == keyFile {
			text, err = plain(text)
		}
		if err != nil || string(text) != jitFiles()[file.Name()] {
			t.Errorf("%s holds %q, %v", file.Name(), text, err)
		}
	}
}
