package acl

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/windows"
)

// What Wine cannot show, as it keeps modes of Unix instead of lists, and its administrator is kept out of nothing: that the list
// is kept whole and as protected, that what is made below inherits it, and that Windows keeps others out by it. So these tests
// are of the text that is handed over, and of what comes back of it everywhere.

// kept are the SIDs that a folder lets in.
func kept(t *testing.T, path string) map[string]uint32 {
	t.Helper()
	f, err := lookAt(path)
	if err != nil {
		t.Fatal(err)
	}
	rights := map[string]uint32{}
	for _, a := range f.list {
		if !a.onlyBelow {
			rights[a.sid] |= a.rights
		}
	}
	return rights
}

func TestEveryTextIsAList(t *testing.T) {
	t.Parallel()
	for _, text := range []string{Private(), Private(runner), Public(), Shared(runner), Given(runner), GivenFile(runner)} {
		descriptor, err := windows.SecurityDescriptorFromString(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		control, _, err := descriptor.Control()
		if err != nil || control&windows.SE_DACL_PROTECTED == 0 {
			t.Errorf("%s: not protected: %x, %v", text, control, err)
		}
		list, _, err := descriptor.DACL()
		if err != nil || int(list.AceCount) != strings.Count(text, "(") {
			t.Errorf("%s: %v, %v", text, list, err)
		}
	}
}

func TestMake(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a")
	if err := MakePrivate(path); err != nil {
		t.Fatal(err)
	}
	if rights := kept(t, path); rights[everyone]|rights[users]|rights[authenticated] != 0 {
		t.Errorf("others are let in: %v", rights)
	}
	if err := os.WriteFile(filepath.Join(path, "b"), []byte("x"), 0o600); err != nil {
		t.Errorf("its own maker is kept out: %v", err)
	}
	if err := MakePrivate(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("once more: %v", err)
	}
	if err := MakePrivate(filepath.Join(path, "none", "c")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nowhere: %v", err)
	}
	if text, err := Text(path); err != nil || !strings.Contains(text, "D:") {
		t.Errorf("%q, %v", text, err)
	}
}

func TestKeep(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	public, private := filepath.Join(dir, "x", "cache"), filepath.Join(dir, "x", "state")
	for range 2 {
		if err := errors.Join(KeepPublic(public), KeepPrivate(private)); err != nil {
			t.Fatal(err)
		}
	}
	if rights := kept(t, private); rights[everyone]|rights[users] != 0 {
		t.Errorf("others are let in: %v", rights)
	}
}

// A folder that was made open before is closed, and what others have put into one is not used. Wine has everything belong to
// the one account, so that a stranger's is shown by the rights alone.
func TestGuard(t *testing.T) {
	t.Parallel()
	open := filepath.Join(t.TempDir(), "open")
	list := Private(self()) + entry(inherited, all, everyone)
	if err := errors.Join(os.Mkdir(open, 0o700), set(open, list, false)); err != nil {
		t.Fatal(err)
	}
	var refused *OpenError
	f, err := lookAt(open)
	if err == nil {
		err = f.refuse(open, change)
	}
	if !errors.As(err, &refused) || refused.Who != everyone || refused.Owns {
		t.Fatalf("an open one: %v", err)
	}
	if err := os.WriteFile(filepath.Join(open, "ours"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := guard(open, Private(self()), change|look); err != nil {
		t.Fatal(err)
	}
	if f, err = lookAt(open); err != nil || f.refuse(open, change) != nil { // Wine adds what others may read
		t.Errorf("it is open still: %+v, %v", f, err)
	}
	foreign := found{owner: neighbor}
	if err := foreign.refuse(open, change); !errors.As(err, &refused) || !refused.Owns || refused.Who != neighbor {
		t.Errorf("a stranger's: %v", err)
	}
	if err := ours(open, false); !errors.Is(err, ErrOpen) {
		t.Errorf("what lies in a stranger's: %v", err)
	}
	if err := ours(open, true); err != nil {
		t.Errorf("what lies in ours: %v", err)
	}
}

func TestGive(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := filepath.Join(dir, "a")
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	// An account that Wine can keep in the mode of a file; Windows takes any.
	if err := GiveFile(file, everyone); err != nil {
		t.Fatal(err)
	}
	if rights := kept(t, name); rights[everyone]&modify == 0 {
		t.Errorf("it is not given: %v", rights)
	}
	if err := os.Link(name, filepath.Join(dir, "b")); err != nil {
		t.Fatal(err)
	}
	if err := GiveFile(file, everyone); !errors.Is(err, errLinked) {
		t.Errorf("a file of two names: %v", err)
	}
	if err := Give(name, everyone); !errors.Is(err, errLinked) {
		t.Errorf("a file of two names, by one: %v", err)
	}
	folder := filepath.Join(dir, "c")
	if err := errors.Join(MakePrivate(folder), Give(folder, everyone)); err != nil {
		t.Fatal(err)
	}
	if rights := kept(t, folder); rights[everyone]&addFile == 0 {
		t.Errorf("it is not given: %v", rights)
	}
	if lists, err := Lists(folder, runner); err != nil || !lists {
		t.Errorf("an account does not see it: %v", err)
	}
	if err := Give(filepath.Join(dir, "none"), everyone); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing: %v", err)
	}
}

// Two names of a file have one list: that of the first.
func TestLinksShareTheList(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cache, root := filepath.Join(dir, "cache"), filepath.Join(dir, "root")
	if err := errors.Join(Make(cache, Private(self())+entry(inherited, readExecute, everyone)), Make(root, Private(self()))); err != nil {
		t.Fatal(err)
	}
	first, second := filepath.Join(cache, "a"), filepath.Join(root, "a")
	if err := errors.Join(os.WriteFile(first, []byte("x"), 0o600), os.Link(first, second)); err != nil {
		t.Fatal(err)
	}
	one, err := Text(first)
	if err != nil {
		t.Fatal(err)
	}
	if two, err := Text(second); err != nil || one != two {
		t.Errorf("%s and %s, %v", one, two, err)
	}
}

func TestAdministratorsAreElevated(t *testing.T) {
	t.Parallel()
	if Administers() && !windows.GetCurrentProcessToken().IsElevated() {
		t.Error("it is not elevated")
	}
	if Administers() && !isAdministrator(self()) {
		t.Error("its account is none of an administrator's")
	}
	for _, sid := range []string{neighbor, runner, users, everyone, "S-1-5-20", ""} {
		if trusted(sid) {
			t.Errorf("%q is trusted", sid)
		}
	}
}

// What the system's service is to start must not be for others to change, nor be in a folder that they can put another one in
// the place of.
func TestCheck(t *testing.T) {
	t.Parallel()
	if !Administers() {
		t.Skip("only an administrator is given what others could change: run with a manifest that asks for it")
	}
	dir := filepath.Join(t.TempDir(), "tools")
	program := filepath.Join(dir, "program.exe")
	err := errors.Join(os.Mkdir(dir, 0o755), os.WriteFile(program, []byte("x"), 0o600), set(dir, Public(), false), set(program, Public(), false))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{program, filepath.Join(dir, "none"), filepath.Join(dir, "none", "none"), dir} {
		if err := Check(path); err != nil {
			t.Errorf("%q: %v", path, err)
		}
	}
	open := Public() + entry(inherited, modify, everyone)
	if err := set(program, open, false); err != nil {
		t.Fatal(err)
	}
	var refused *OpenError
	if err := Check(program); !errors.As(err, &refused) || refused.Path != program {
		t.Errorf("a program that everybody can change: %v", err)
	}
	if err := errors.Join(set(program, Public(), false), set(dir, open, false)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{program, filepath.Join(dir, "none", "none")} {
		if err := Check(path); !errors.As(err, &refused) || refused.Path != dir || refused.Who != everyone {
			t.Errorf("%q in a folder that everybody can replace: %v", path, err)
		}
	}
	if err := Check(dir); err != nil {
		t.Errorf("a folder that is closed when it is used: %v", err)
	}
}

// What jobs have locked is opened for administrators. That Windows kept them out before cannot be shown where the tests run.
func TestSeize(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	above, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer above.Close()
	locked := filepath.Join(dir, "locked")
	err = errors.Join(os.Mkdir(locked, 0o700), os.WriteFile(filepath.Join(dir, "file"), nil, 0o600), set(locked, Given(everyone), false))
	if err != nil {
		t.Fatal(err)
	}
	if err := Insist(); (err == nil) != Administers() {
		t.Fatalf("an administrator's: %t, %v", Administers(), err)
	}
	if !Administers() {
		t.Skip("only an administrator may: run with a manifest that asks for it")
	}
	if err := Seize(above, "locked"); err != nil {
		t.Fatal(err)
	}
	if rights := kept(t, locked); rights[everyone] != 0 {
		t.Errorf("others are in it still: %v", rights)
	}
	if err := Seize(above, "none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing: %v", err)
	}
	if err := Seize(above, "file"); err == nil {
		t.Error("a file was seized, which may have other names")
	}
}
