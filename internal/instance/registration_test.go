package instance

import (
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// files are those that are kept now.
func files(t *testing.T, k KeptFiles) map[string]string {
	t.Helper()
	all := map[string]string{}
	entries, err := os.ReadDir(k.Folder())
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for _, entry := range entries {
		text, err := os.ReadFile(filepath.Join(k.Folder(), entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[entry.Name()] = string(text)
	}
	return all
}

func known(t *testing.T, k KeptFiles) bool {
	t.Helper()
	known, err := k.Known()
	if err != nil {
		t.Fatal(err)
	}
	return known
}

// A registration takes the place of the one before as a whole, and what is dropped is remembered as dropped.
func TestKeptFiles(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	k := KeptRegistration(s, "web-1")
	if known(t, k) {
		t.Error("a registration is known that was never kept")
	}
	for _, want := range []map[string]string{{".runner": "1", ".credentials": "a"}, {".runner": "2"}, {".runner": "3", ".credentials_rsaparams": "b"}, nil, nil} {
		texts := map[string][]byte{}
		for name, text := range want {
			texts[name] = []byte(text)
		}
		// What a killed process was about to keep is not in the way.
		if err := os.MkdirAll(filepath.Join(k.Folder()+".new", ".runner", "x"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := k.Keep(texts); err != nil {
			t.Fatal(err)
		}
		if got := files(t, k); !maps.Equal(got, want) {
			t.Errorf("kept are %q, want %q", got, want)
		}
		if !known(t, k) {
			t.Error("it is not known that a registration was kept")
		}
		if entries, err := os.ReadDir(filepath.Dir(k.Folder())); err != nil || len(entries) != 1 {
			t.Errorf("left is %v, %v", entries, err)
		}
	}
	if info, err := os.Stat(k.Folder()); runtime.GOOS != "windows" && (err != nil || info.Mode().Perm() != 0o700) {
		t.Errorf("the folder is %v, %v", info, err)
	}
	if other := KeptRegistration(s, "web-2"); known(t, other) {
		t.Error("another runner's registration is known")
	}
}

// A process that is killed between the two renames has dropped the registration, and not made it one of an earlier version.
func TestKeptFilesOfAKilledProcess(t *testing.T) {
	t.Parallel()
	k := KeptRegistration(newStore(t), "web-1")
	if err := k.Keep(map[string][]byte{".runner": []byte("1")}); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(k.Folder(), k.Folder()+".old"); err != nil {
		t.Fatal(err)
	}
	if !known(t, k) || len(files(t, k)) > 0 {
		t.Errorf("known is %v, kept are %q", known(t, k), files(t, k))
	}
	if err := k.Keep(map[string][]byte{".runner": []byte("2")}); err != nil {
		t.Fatal(err)
	}
	if got := files(t, k); got[".runner"] != "2" {
		t.Errorf("kept are %q", got)
	}
}
