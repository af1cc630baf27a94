package libraries

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// write makes a file below root, and the folders above it.
func write(t *testing.T, root, path string, text []byte) {
	t.Helper()
	full := filepath.Join(root, path)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(full, text, 0o755); err != nil {
		t.Fatal(err)
	}
}

// head is how an ELF file begins.
func head(class elf.Class, code elf.Machine) []byte {
	text := make([]byte, 64)
	copy(text, elf.ELFMAG)
	text[elf.EI_CLASS] = byte(class)
	binary.LittleEndian.PutUint16(text[18:], uint16(code))
	return text
}

func thisMachine(t *testing.T) architecture {
	t.Helper()
	m, known := machineOf(runtime.GOARCH)
	if !known {
		t.Skip("there is no runner for this architecture")
	}
	return m
}

func TestFind(t *testing.T) {
	t.Parallel()
	m := thisMachine(t)
	right, otherCode, otherClass := head(m.class, m.code), head(m.class, elf.EM_S390), head(3-m.class, m.code)
	root := t.TempDir()
	write(t, root, "/etc/ld.so.cache", newCache(
		[2]string{"liba.so.1", "/opt/other/liba.so.1"}, [2]string{"liba.so.1", "/opt/right/liba.so.1"},
		[2]string{"libgone.so.1", "/opt/gone/libgone.so.1"}, [2]string{"libb.so.1", "/opt/other/libb.so.1"}))
	write(t, root, "/opt/other/liba.so.1", otherCode)
	write(t, root, "/opt/right/liba.so.1", right)
	write(t, root, "/opt/other/libb.so.1", otherClass)
	write(t, root, "/usr/lib/"+m.triplet+"/libc1.so", right)
	write(t, root, "/lib64/libd.so", right)
	write(t, root, "/usr/lib/libe.so", right)
	write(t, root, "/usr/lib/libtext.so", []byte("INPUT(-lsomething)"))
	write(t, root, "/srv/libf.so", right)
	l := Of(root)
	for name, want := range map[string]string{
		"liba.so.1": "/opt/right/liba.so.1", "libb.so.1": "", "libgone.so.1": "", "libc1.so": "/usr/lib/" + m.triplet + "/libc1.so",
		"libd.so": "/lib64/libd.so", "libe.so": "/usr/lib/libe.so", "libtext.so": "", "libf.so": "",
	} {
		if want != "" {
			want = filepath.Join(root, want)
		}
		if got := l.Find(name); got != want {
			t.Errorf("%s is found at %q, want %q", name, got, want)
		}
	}
}

// withLibraries is a system that has these libraries.
func withLibraries(t *testing.T, names ...string) string {
	t.Helper()
	m, root := thisMachine(t), t.TempDir()
	for _, name := range names {
		write(t, root, "/usr/lib/"+name, head(m.class, m.code))
	}
	return root
}

func TestLibrariesOfATree(t *testing.T) {
	t.Parallel()
	shell, err := exec.LookPath("sh")
	if err != nil || runtime.GOOS != "linux" {
		t.Skip("no ELF file to look at")
	}
	program, err := os.ReadFile(shell)
	if err != nil {
		t.Fatal(err)
	}
	const globalization, crypto = "bin/libSystem.Globalization.Native.so", "bin/libSystem.Security.Cryptography.Native.OpenSsl.so"
	for name, c := range map[string]struct {
		files     map[string][]byte
		libraries []string
		invariant bool
		missing   string
	}{
		"nothing of .NET's":          {files: map[string][]byte{"bin/Runner.Listener": []byte("#!/bin/sh\n")}},
		"no tree":                    {},
		"ICU missing":                {files: map[string][]byte{globalization: nil}, missing: "ICU (libicuuc, libicui18n)"},
		"ICU, but half of it":        {files: map[string][]byte{globalization: nil}, libraries: []string{"libicuuc.so.72"}, missing: "ICU (libicuuc, libicui18n)"},
		"ICU of two versions":        {files: map[string][]byte{globalization: nil}, libraries: []string{"libicuuc.so.72", "libicui18n.so.70"}, missing: "ICU (libicuuc, libicui18n)"},
		"ICU":                        {files: map[string][]byte{globalization: nil}, libraries: []string{"libicuuc.so.72", "libicui18n.so.72"}},
		"ICU too old":                {files: map[string][]byte{globalization: nil}, libraries: []string{"libicuuc.so.49", "libicui18n.so.49"}, missing: "ICU (libicuuc, libicui18n)"},
		"ICU not wanted":             {files: map[string][]byte{globalization: nil}, invariant: true},
		"OpenSSL missing":            {files: map[string][]byte{crypto: nil}, invariant: true, missing: "OpenSSL (libssl 3 or 1.1)"},
		"OpenSSL 1.1":                {files: map[string][]byte{crypto: nil}, libraries: []string{"libssl.so.1.1", "libcrypto.so.1.1"}},
		"Kerberos is optional":       {files: map[string][]byte{"bin/libSystem.Net.Security.Native.so": nil}},
		"named by a library":         {files: map[string][]byte{"bin/libcoreclr.so": program}, missing: "libc.so.6"},
		"named by the listener":      {files: map[string][]byte{"bin/Runner.Listener": program}, missing: "libc.so.6"},
		"named, and there":           {files: map[string][]byte{"bin/libcoreclr.so": program}, libraries: []string{"libc.so.6"}},
		"named, and beside":          {files: map[string][]byte{"bin/libcoreclr.so": program, "bin/libc.so.6": nil}},
		"named by what is optional":  {files: map[string][]byte{"bin/libcoreclrtraceptprovider.so": program}},
		"named by Node.js":           {files: map[string][]byte{"externals/node24/bin/node": program}, missing: "libc.so.6"},
		"named by Node.js elsewhere": {files: map[string][]byte{"externals/node24_alpine/bin/node": program}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tree := t.TempDir()
			for path, text := range c.files {
				write(t, tree, path, text)
			}
			err := Of(withLibraries(t, c.libraries...)).check(tree, c.invariant)
			var missing *MissingError
			switch {
			case c.missing == "" && err != nil:
				t.Errorf("got %v, want nothing", err)
			case c.missing != "" && !errors.As(err, &missing):
				t.Errorf("got %v, want %q", err, c.missing)
			case c.missing != "" && (!slices.Equal(missing.Names, []string{c.missing}) || !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), tree)):
				t.Errorf("got %v, want %q of the tree", err, c.missing)
			}
		})
	}
}

func TestMissingOpened(t *testing.T) {
	t.Parallel()
	all := []string{"libicuuc.so.72", "libicui18n.so.72", "libssl.so.3", "libcrypto.so.3", "libgssapi_krb5.so.2", "libz.so.1", "libstdc++.so.6", "libgcc_s.so.1"}
	for name, c := range map[string]struct {
		without          []string
		invariant        bool
		needed, optional string
	}{
		"all":                {},
		"no ICU":             {without: all[:2], needed: "ICU (libicuuc, libicui18n)"},
		"no ICU, not wanted": {without: all[:2], invariant: true, optional: "ICU (libicuuc, libicui18n)"},
		"no OpenSSL":         {without: all[2:4], needed: "OpenSSL (libssl 3 or 1.1)"},
		"no Kerberos":        {without: all[4:5], optional: "Kerberos (libgssapi_krb5)"},
		"no C++":             {without: all[5:], needed: "zlib, libstdc++, libgcc"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			have := slices.DeleteFunc(slices.Clone(all), func(name string) bool { return slices.Contains(c.without, name) })
			needed, optional := Of(withLibraries(t, have...)).Missing(c.invariant)
			if Names(needed) != c.needed || Names(optional) != c.optional {
				t.Errorf("missing are %q and %q, want %q and %q", Names(needed), Names(optional), c.needed, c.optional)
			}
		})
	}
}

// TestWhere: a library of several files is told by its first one.
func TestWhere(t *testing.T) {
	t.Parallel()
	root := withLibraries(t, "libicuuc.so.72", "libicui18n.so.72", "libicuuc.so.74", "libicui18n.so.74")
	if got, want := Of(root).Where(opened()[0]), filepath.Join(root, "usr/lib/libicuuc.so.74"); got != want {
		t.Errorf("ICU is at %q, want the newer one, %q", got, want)
	}
}

func TestInvariant(t *testing.T) {
	t.Parallel()
	const name = "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT="
	for want, all := range map[bool][][]string{
		true:  {{name + "1"}, {"A=b", name + "true"}, {name + "0", name + "TRUE"}},
		false: {nil, {name}, {name + "0"}, {"X" + name + "1"}, {name + "1", name + "0"}},
	} {
		for _, environment := range all {
			if got := Invariant(environment); got != want {
				t.Errorf("%q: %t", environment, got)
			}
		}
	}
}

func TestForeignUserland(t *testing.T) {
	t.Parallel()
	m := thisMachine(t)
	for name, c := range map[string]struct {
		files []string
		want  string
	}{
		"ours":          {[]string{m.start, "/lib/ld-linux.so.2"}, ""},
		"32 bits alone": {[]string{"/lib/ld-linux.so.2"}, "32 (/lib/ld-linux.so.2)"},
		"musl":          {[]string{"/lib/ld-musl-x86_64.so.1", "/lib/ld-linux.so.2"}, ""},
		"nothing":       {nil, ""},
	} {
		root := t.TempDir()
		for _, file := range c.files {
			write(t, root, file, nil)
		}
		if got := Of(root).Foreign(); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
