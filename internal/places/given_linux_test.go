package places

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const stranger, job = 61234, 61235

// givenTree has what may be on the way to a path: NAME is root's, NAME+UID somebody's, in the folder of that case.
func givenTree(t *testing.T, at string, parts ...string) string {
	t.Helper()
	path := at
	for _, part := range parts {
		name, owner, _ := strings.Cut(part, "=")
		path = filepath.Join(path, name)
		err := os.Mkdir(path, 0o755)
		mode := fs.FileMode(0o755)
		uid, gid := 0, 0
		for _, word := range strings.Split(owner, ",") {
			switch word {
			case "stranger":
				uid, gid = stranger, stranger
			case "job":
				uid, gid = job, job
			case "group":
				mode, gid = 0o775, stranger
			case "jobs-group":
				mode, gid = 0o775, job
			case "root-group":
				mode = 0o775
			case "everybody":
				mode = 0o777
			case "sticky":
				mode = 0o777 | fs.ModeSticky
			}
		}
		if err := errors.Join(err, os.Lchown(path, uid, gid), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

func TestCheckGiven(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root is given paths of others")
	}
	caller := Trust{UIDs: []int{stranger}, GIDs: []int{stranger}}
	secret := Trust{Others: true, JobUIDs: []int{job}, JobGroups: []int{job}}
	const chown, chmod = "chown root: ", "chmod go-w "
	for name, c := range map[string]struct {
		parts []string
		// What is refused of the path by root alone, by a caller's, for a secret; empty where nothing is.
		root, caller, secret string
		command              string // of the first of them
	}{
		"root's":                   {[]string{"a", "b"}, "", "", "", ""},
		"a stranger's":             {[]string{"a", "b=stranger"}, "b", "", "", chown},
		"in a stranger's":          {[]string{"a=stranger", "b"}, "a", "", "", ""},
		"the jobs'":                {[]string{"a", "b=job"}, "b", "b", "b", chown},
		"in the jobs'":             {[]string{"a=job", "b"}, "a", "a", "a", ""},
		"of a group":               {[]string{"a=group", "b"}, "a", "", "", chmod},
		"of the jobs' group":       {[]string{"a=jobs-group", "b"}, "a", "a", "a", chmod},
		"of root's group":          {[]string{"a=root-group", "b"}, "", "", "", ""},
		"of everybody":             {[]string{"a=everybody", "b"}, "a", "a", "a", chmod},
		"root's in a sticky one":   {[]string{"a=sticky", "b"}, "", "", "", ""},
		"absent in a sticky one":   {[]string{"a=sticky"}, "", "", "", ""},
		"jobs' in a sticky one":    {[]string{"a=sticky", "b=job"}, "b", "b", "b", chown},
		"deep in jobs' in sticky":  {[]string{"a=sticky", "b=job", "c"}, "b", "b", "b", ""},
		"everybody's in sticky":    {[]string{"a=sticky", "b=everybody", "c"}, "b", "b", "b", chmod},
		"a stranger's with others": {[]string{"a=stranger,everybody", "b"}, "a", "a", "a", ""},
	} {
		dir := t.TempDir()
		path := givenTree(t, dir, c.parts...)
		link := filepath.Join(dir, "link")
		if err := os.Symlink(path, link); err != nil {
			t.Fatal(err)
		}
		for trusted, want := range map[*Trust]string{{}: c.root, &caller: c.caller, &secret: c.secret} {
			for _, way := range []string{path, link, filepath.Join(path, "absent", "too")} {
				err := CheckGiven(way, *trusted)
				refused := &GivenError{}
				switch {
				case want == "" && err != nil:
					t.Errorf("%s, trusting %+v: %v", name, *trusted, err)
				case want != "" && (!errors.As(err, &refused) || filepath.Base(refused.Part) != want || !errors.Is(err, ErrGiven)):
					t.Errorf("%s, trusting %+v: %v, want %s refused", name, *trusted, err, want)
				case want != "" && want == c.root && way == path && !strings.HasPrefix(refused.Command, c.command):
					t.Errorf("%s: %q, want %q", name, refused.Command, c.command)
				}
			}
		}
	}
}

func TestCheckGivenFollowsLinks(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root is given paths of others")
	}
	dir := t.TempDir()
	good := givenTree(t, dir, "good")
	jobs := givenTree(t, dir, "jobs=job")
	sticky := givenTree(t, dir, "sticky=sticky")
	for link, target := range map[string]string{
		filepath.Join(good, "to-jobs"): "../jobs", filepath.Join(jobs, "to-good"): good, filepath.Join(sticky, "jobs-link"): good,
		filepath.Join(good, "loop"): "loop",
	} {
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Lchown(filepath.Join(sticky, "jobs-link"), job, job); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{
		good: true, filepath.Join(good, "to-jobs"): false,
		// As a user may write it: ".." behind a link is not what it seems to be.
		good + "/to-jobs/../jobs": false, good + "/to-jobs/..": false, good + "/../good/.": true,
		filepath.Join(jobs, "to-good"): false, filepath.Join(sticky, "jobs-link"): false, filepath.Join(sticky, "jobs-link", "x"): false,
		filepath.Join(good, "loop", "x"): true, "/dev/stdin": true, "/dev/null": true, "/usr/bin/env": true, "/tmp": true,
	} {
		if err := CheckGiven(path, Trust{}); (err == nil) != want {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestWhoIsNotRootMayNameEverything(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("root is held to it")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := CheckGiven(filepath.Join(dir, "x"), Trust{}); err != nil {
		t.Error(err)
	}
}
