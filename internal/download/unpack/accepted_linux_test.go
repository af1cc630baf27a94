package unpack

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download/unpack/naming"
)

// inFolder runs a script of a shell in a folder with the files of a runner, a link and a hard link, and returns what it has
// made of a file.
func inFolder(t *testing.T, script, file string) []byte {
	t.Helper()
	const files = `mkdir -p bin empty d
echo listener >bin/Runner.Listener; echo config >config.sh; echo run >run.sh; ln -s run.sh link; ln run.sh hard; echo e >d/e
set -- bin config.sh run.sh link hard d empty
touch -d @1700000000 $(find . ! -type l)
`
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "sh", "-euc", files+script)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "LC_ALL=C")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	data, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// asMade compares a tree with that of the system's program.
func asMade(t *testing.T, root, want string) {
	t.Helper()
	got, reference := look(t, root), look(t, want)
	delete(got, ".")
	delete(reference, ".")
	for name, one := range reference {
		if other := got[name]; other.mode.Type() != one.mode.Type() || other.content != one.content || other.inode != one.inode {
			t.Errorf("%q is %.80v, of the system's program %.80v", name, other, one)
		}
		delete(got, name)
	}
	for name := range got {
		t.Errorf("%q is too much", name)
	}
}

// TestTakesWhatTarTakes: what GNU tar unpacks is unpacked to the same, and what it refuses is refused.
func TestTakesWhatTarTakes(t *testing.T) {
	t.Parallel()
	const tarred = `tar cf x "$@"; `
	for name, c := range map[string]struct {
		script string
		taken  bool
	}{
		"as it is":                       {tarred + `gzip x`, true},
		"dots before names":              {`tar cf x .; gzip x`, true},
		"a file again":                   {tarred + `echo new >run.sh; tar rf x run.sh; gzip x`, true},
		"a file three times":             {tarred + `echo 2 >d/e; tar rf x d/e; echo three >d/e; tar rf x ./d/e; gzip x`, true},
		"a file twice at once":           {`tar cf x "$@" run.sh config.sh; gzip x`, true},
		"a file that has another name":   {tarred + `rm run.sh; echo other >run.sh; tar rf x run.sh; gzip x`, true},
		"a name that gets another file":  {tarred + `rm hard; echo other >hard; tar rf x hard; gzip x`, true},
		"both names again":               {tarred + `tar rf x run.sh hard; gzip x`, true},
		"a link instead of a file":       {tarred + `rm d/e; ln -s ../run.sh d/e; tar rf x d/e; gzip x`, true},
		"a file instead of a link":       {tarred + `rm link; echo file >link; tar rf x link; gzip x`, true},
		"another link":                   {tarred + `ln -sfn config.sh link; tar rf x link; gzip x`, true},
		"a hard link instead of a link":  {tarred + `rm link; ln config.sh link; tar rf x config.sh link; gzip x`, true},
		"a folder again":                 {tarred + `chmod 700 d; tar rf x d; gzip x`, true},
		"all of it again":                {tarred + `tar rf x "$@"; gzip x`, true},
		"a folder after its files":       {`tar cf x d/e "$@" d bin; gzip x`, true},
		"a larger file":                  {tarred + `head -c 300000 /dev/zero >run.sh; tar rf x run.sh; gzip x`, true},
		"zeros behind the gzip":          {tarred + `gzip x; head -c 10240 /dev/zero >>x.gz`, true},
		"two members":                    {tarred + `head -c 1000 x | gzip >x.gz; tail -c +1001 x | gzip >>x.gz`, true},
		"an empty member":                {tarred + `gzip <x >x.gz; : | gzip >>x.gz`, true},
		"no end":                         {`tar cf x --blocking-factor 1 "$@"; head -c -1024 x | gzip >x.gz`, true},
		"half an end":                    {`tar cf x --blocking-factor 1 "$@"; head -c -512 x | gzip >x.gz`, true},
		"a large record":                 {`tar cf x --blocking-factor 2000 "$@"; gzip x`, true},
		"a label":                        {`tar cf x --label runner "$@"; gzip x`, true},
		"GNU's format":                   {`tar cf x --format gnu "$@"; gzip x`, true},
		"the old GNU format":             {`tar cf x --format oldgnu "$@"; gzip x`, true},
		"pax, with global headers":       {`tar cf x --format pax --pax-option comment=x,globexthdr.name=g "$@"; gzip x`, true},
		"ustar":                          {`tar cf x --format ustar "$@"; gzip x`, true},
		"v7":                             {`tar cf x --format v7 "$@"; gzip x`, true},
		"a long name":                    {`n=$(printf %0200d 1); mkdir $n; echo x >$n/$n; tar cf x --format gnu "$@" $n; gzip x`, true},
		"a long link":                    {`n=$(printf %0200d 1); ln -s $n l; tar cf x --format gnu "$@" l; gzip x`, true},
		"zeros of a file that are there": {`head -c 100000 /dev/zero >z; tar cf x "$@" z; gzip x`, true},

		"cut within a block":          {`tar cf x --blocking-factor 1 bin d config.sh; head -c -1100 x | gzip >x.gz`, false},
		"something behind the gzip":   {tarred + `gzip x; echo x >>x.gz`, false},
		"a hard link before its file": {`tar cf y hard run.sh; tar cf x bin config.sh; tail -c +1025 y | cat - x >z; gzip <z >x.gz`, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := inFolder(t, c.script, "x.gz")
			archive, want := filepath.Join(t.TempDir(), "x.gz"), t.TempDir()
			if err := os.WriteFile(archive, data, 0o600); err != nil {
				t.Fatal(err)
			}
			text, tarErr := exec.CommandContext(t.Context(), "tar", "-xzf", archive, "-C", want).CombinedOutput()
			if (tarErr == nil) != c.taken {
				t.Errorf("tar: %v: %s", tarErr, text)
			}
			dir := emptyDir(t)
			m, err := Tar(context.Background(), bytes.NewReader(data), dir, naming.Unix, Later)
			wantCanary(t, dir)
			if (err == nil) != c.taken {
				t.Fatalf("unpacking: %v, tar: %v: %s", err, tarErr, text)
			}
			if err == nil {
				asMade(t, dir, want)
				if err := m.Check(t.Context(), dir); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestTakesWhatUnzipTakes: the same for zips, of those that the system has a program for.
func TestTakesWhatUnzipTakes(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"zip", "unzip", "python3"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("nothing is compared: %v", err)
		}
	}
	const ready = `rm link hard; cp config.sh config.cmd; cp bin/Runner.Listener bin/Runner.Listener.exe; set -- bin config.cmd run.sh d empty; `
	const again = `python3 - <<'end'
import warnings, zipfile
warnings.simplefilter("ignore")
with zipfile.ZipFile("x.zip", "a") as z:
    for text in ("second", "third, which counts"):
        z.writestr("run.sh", text)
    z.writestr("d/", "")
end`
	for name, script := range map[string]string{
		"as it is":               `zip -qr x.zip "$@"`,
		"stored":                 `zip -q0r x.zip "$@"`,
		"data descriptors":       `zip -qr - "$@" | cat >x.zip`,
		"zip64":                  `zip -qr -fz x.zip "$@"`,
		"without folders":        `zip -qrD x.zip bin config.cmd run.sh d; rmdir empty`,
		"a comment":              `zip -qr x.zip "$@"; echo comment | zip -qz x.zip`,
		"a program before it":    `zip -qr y.zip "$@"; (head -c 5000 /dev/urandom; cat y.zip) >x.zip`,
		"one that is adjusted":   `zip -qr y.zip "$@"; (head -c 5000 /dev/urandom; cat y.zip) >x.zip; zip -qA x.zip`,
		"something behind it":    `zip -qr x.zip "$@"; echo behind >>x.zip`,
		"a file again":           `zip -qr x.zip "$@"; ` + again,
		"an entry that was gone": `zip -qr x.zip "$@"; zip -qd x.zip d/e`,
		"a grown one":            `zip -qr x.zip bin; echo more >run.sh; zip -qgr x.zip "$@"`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := inFolder(t, ready+script, "x.zip")
			archive, want := filepath.Join(t.TempDir(), "x.zip"), t.TempDir()
			if err := os.WriteFile(archive, data, 0o600); err != nil {
				t.Fatal(err)
			}
			// It ends with 1 where it has only warned.
			text, unzipErr := exec.CommandContext(t.Context(), "unzip", "-oq", archive, "-d", want).CombinedOutput()
			if _, err := os.Stat(filepath.Join(want, "config.cmd")); err != nil {
				t.Fatalf("unzip: %v: %s", unzipErr, text)
			}
			dir, m, err := unzipped(t, data, naming.Windows)
			if err != nil {
				t.Fatalf("unpacking: %v, unzip: %v: %s", err, unzipErr, text)
			}
			asMade(t, dir, want)
			if err := m.Check(t.Context(), dir); err != nil {
				t.Error(err)
			}
		})
	}
}
