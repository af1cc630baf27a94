package register

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
)

// keptOf is what is kept of the runner in root, which has id 7 and belongs to an organization.
func keptOf(t *testing.T, root, scopeURL string) Kept {
	t.Helper()
	return KeptOf(instance.NewStore(filepath.Join(t.TempDir(), "state")), instance.Record{
		Name: "web-1", Dir: root, ScopeURL: scopeURL, Registration: instance.Registration{RunnerID: 7},
	})
}

func keptIn(t *testing.T) Kept {
	t.Helper()
	return keptOf(t, t.TempDir(), "https://github.com/octo-org")
}

// ourselves is the account that runs the tests.
func ourselves(t *testing.T) account.User {
	t.Helper()
	user, err := account.Lookup("")
	if err != nil {
		t.Fatal(err)
	}
	return user
}

// registered are the files of a registration, as config.sh writes them.
func registered() map[string]string {
	return map[string]string{
		".runner":                byteOrderMark + `{"agentId":7,"agentName":"web-1","gitHubUrl":"https://github.com/octo-org"}`,
		".credentials":           byteOrderMark + `{"scheme":"OAuth","data":{"clientId":"c-7"}}`,
		".credentials_rsaparams": `{"d":"secret"}`,
	}
}

// keeps has files kept as the registration.
func keeps(t *testing.T, k Kept, files map[string]string) {
	t.Helper()
	texts := map[string][]byte{}
	for name, text := range files {
		texts[name] = []byte(text)
	}
	if err := instance.KeptRegistration(k.store, k.record.Name).Keep(texts); err != nil {
		t.Fatal(err)
	}
}

// holds wants a folder to hold these files and nothing else.
func holds(t *testing.T, folder string, want map[string]string) {
	t.Helper()
	got := map[string]string{}
	entries, err := os.ReadDir(folder)
	for _, entry := range entries {
		text, readErr := os.ReadFile(filepath.Join(folder, entry.Name()))
		err = errors.Join(err, readErr)
		got[entry.Name()] = string(text)
	}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("%s holds %q, want %q; %v", folder, got, want, err)
	}
}

// Whatever a job has made of the listener's copy, the next listener gets what is kept.
func TestGive(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(t *testing.T, root string){
		"nothing is there": func(*testing.T, string) {},
		"another's registration": func(t *testing.T, root string) {
			put(t, root, map[string]string{".runner": `{"agentId":102,"agentName":"db-1"}`, ".credentials": "{}", ".credentials_rsaparams": "{}"})
		},
		"folders": func(t *testing.T, root string) {
			for _, file := range credentialFiles() {
				put(t, root, map[string]string{file + "/x/y": ""})
			}
			put(t, root, map[string]string{".runner.new/x": "", ".credentials.new": "x"})
		},
		"of another version": func(t *testing.T, root string) {
			put(t, root, map[string]string{".runner_migrated": `{"agentId":102,"agentName":"web-1"}`, ".credentials_migrated": `{"data":{"clientId":"c-8"}}`})
		},
		"of another name": func(t *testing.T, root string) {
			put(t, root, map[string]string{".runner_migrated": `{"agentId":7,"agentName":"db-1"}`, ".credentials_migrated": "{}"})
		},
		"garbage": func(t *testing.T, root string) {
			put(t, root, map[string]string{".runner": "{", ".runner_migrated": "{", ".credentials_migrated": "{"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := keptIn(t)
			keeps(t, k, registered())
			prepare(t, k.record.Dir)
			for range 2 {
				if err := k.Give(ourselves(t)); err != nil {
					t.Fatal(err)
				}
				holds(t, k.record.Dir, registered())
			}
			holds(t, k.folder(), registered())
		})
	}
}

// What GitHub has told the listener of this runner later is its own, and stays.
func TestGiveLeavesWhatWasMigrated(t *testing.T) {
	t.Parallel()
	k := keptIn(t)
	keeps(t, k, registered())
	migrated := map[string]string{
		".runner_migrated":      byteOrderMark + `{"AgentId":"7","AgentName":"WEB-1","serverUrlV2":"https://broker.example.com"}`,
		".credentials_migrated": byteOrderMark + `{"scheme":"OAuth","data":{"clientId":"c-7","authorizationUrlV2":"https://x"}}`,
	}
	put(t, k.record.Dir, migrated)
	if err := k.Give(ourselves(t)); err != nil {
		t.Fatal(err)
	}
	want := registered()
	maps.Copy(want, migrated)
	holds(t, k.record.Dir, want)
}

func TestGiveWithoutARegistration(t *testing.T) {
	t.Parallel()
	k := keptIn(t)
	put(t, k.record.Dir, registered())
	if err := k.Give(ourselves(t)); !errors.Is(err, ErrNotConfigured) {
		t.Errorf("what a job has put there was taken for a registration: %v", err)
	}
}

func TestKeptForget(t *testing.T) {
	t.Parallel()
	k := keptIn(t)
	for range 2 {
		if err := k.Forget(); err != nil {
			t.Fatal(err)
		}
	}
	keeps(t, k, registered())
	if err := k.Give(ourselves(t)); err != nil {
		t.Fatal(err)
	}
	if err := k.Forget(); err != nil {
		t.Fatal(err)
	}
	holds(t, k.record.Dir, nil)
	holds(t, k.folder(), nil)
	if _, err := k.Settings(); !errors.Is(err, ErrNotConfigured) {
		t.Error(err)
	}
}

// An earlier version kept a registration in the runner's directory alone, where jobs can write. It counts as far as the
// record says the same, and never again once anything was kept.
func TestFindOfAnEarlierVersion(t *testing.T) {
	t.Parallel()
	runner := func(text string) map[string]string {
		files := registered()
		files[".runner"] = text
		return files
	}
	for name, c := range map[string]struct {
		files map[string]string
		found bool
	}{
		"as the record says":          {registered(), true},
		"from a JIT configuration":    {runner(`{"AgentId":"7","AgentName":"Web-1"}`), true},
		"of another id":               {runner(`{"agentId":102,"agentName":"web-1","gitHubUrl":"https://github.com/octo-org"}`), false},
		"of another name":             {runner(`{"agentId":7,"agentName":"db-1","gitHubUrl":"https://github.com/octo-org"}`), false},
		"of another scope":            {runner(`{"agentId":7,"agentName":"web-1","gitHubUrl":"https://github.com/other"}`), false},
		"at another server":           {runner(`{"agentId":7,"agentName":"web-1","gitHubUrl":"https://ghes.example.com/octo-org"}`), false},
		"garbage":                     {runner("{"), false},
		"nothing":                     {nil, false},
		"without what it speaks with": {map[string]string{".runner": registered()[".runner"]}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := keptIn(t)
			put(t, k.record.Dir, c.files)
			settings, err := k.Find()
			if c.found != (err == nil && settings.ID == 7) || !c.found && !errors.Is(err, ErrNotConfigured) {
				t.Errorf("%+v, %v", settings, err)
			}
			if _, err := k.Settings(); !errors.Is(err, ErrNotConfigured) {
				t.Errorf("finding it has kept it: %v", err)
			}
			if err := k.Adopt(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			if adopted, err := k.Settings(); c.found != (err == nil) || adopted != settings {
				t.Errorf("%+v was adopted, %v", adopted, err)
			}
			// From now on the folder tells nothing.
			if err := k.Forget(); err != nil {
				t.Fatal(err)
			}
			put(t, k.record.Dir, registered())
			if settings, err := k.Find(); !errors.Is(err, ErrNotConfigured) {
				t.Errorf("%+v was found later, %v", settings, err)
			}
			if err := k.Adopt(t.Context(), nil); err != nil {
				t.Error(err)
			}
			if _, err := k.Settings(); !errors.Is(err, ErrNotConfigured) {
				t.Errorf("it was adopted later: %v", err)
			}
		})
	}
}

// One that a record without an id is about would be anybody's.
func TestFindWithoutAnID(t *testing.T) {
	t.Parallel()
	k := keptIn(t)
	k.record.RunnerID = 0
	put(t, k.record.Dir, map[string]string{".runner": `{"agentId":0,"agentName":"web-1"}`, ".credentials": "{}"})
	if settings, err := k.Find(); !errors.Is(err, ErrNotConfigured) {
		t.Errorf("%+v, %v", settings, err)
	}
}

// What is too long, or half there, is not kept.
func TestTakeIsBounded(t *testing.T) {
	t.Parallel()
	k := keptIn(t)
	for _, name := range slices.Concat(credentialFiles()[2:], []string{".runner"}) {
		folder := t.TempDir()
		put(t, folder, registered())
		put(t, folder, map[string]string{name: string(make([]byte, maxFile+1))})
		if err := k.take(folder); err == nil {
			t.Errorf("%s was kept", name)
		}
		if _, err := k.Settings(); !errors.Is(err, ErrNotConfigured) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
