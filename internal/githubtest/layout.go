package githubtest

import (
	"archive/tar"
	"embed"
	"fmt"
	"os"
	"path"
	"strings"
)

// The listener carries the same files, to put them back when it updates itself.
//
//go:embed listener/layout
var layoutFiles embed.FS

const layoutDir = "listener/layout"

// layoutEntries are the entries of an ordinary archive: everything begins with "./", the folder itself included.
func layoutEntries(spec ArchiveSpec) ([]Entry, error) {
	program := []byte("#!/bin/sh\necho " + spec.Version + "\n")
	if spec.Listener != "" {
		var err error
		if program, err = os.ReadFile(spec.Listener); err != nil {
			return nil, fmt.Errorf("reading the listener: %w", err)
		}
	}
	if onWindows(spec.Platform) {
		return windowsLayout(spec, string(program))
	}
	l := layout{dirs: map[string]bool{}}
	l.dir(".")
	for _, name := range []string{"config.sh", "run.sh", "env.sh", "safe_sleep.sh"} {
		l.file(name, l.embedded(name), 0o755)
	}
	l.file("run-helper.sh.template", l.embedded("run-helper.sh.template"), 0o644)
	l.file("run-helper.cmd.template", l.embedded("run-helper.cmd.template"), 0o644)
	listener := "Runner.Listener"
	if spec.First != "" {
		listener = "Runner.Simulated"
		l.file("bin/Runner.Listener", spec.First, 0o755)
	}
	l.file("bin/"+listener, string(program), 0o755)
	// The worker knows itself by its name; a second copy would double the archive.
	l.link("bin/Runner.Worker", listener)
	l.file("bin/.version", spec.Version+"\n", 0o644)
	l.file("bin/runsvc.sh", l.embedded("runsvc.sh"), 0o755)
	l.file("bin/RunnerService.js", "// The simulated service entry point is runsvc.sh alone.\n", 0o644)
	l.file("bin/installdependencies.sh", l.embedded("installdependencies.sh"), 0o755)
	for _, name := range []string{
		"systemd.svc.sh.template", "darwin.svc.sh.template", "actions.runner.service.template",
		"actions.runner.plist.template", "update.sh.template", "update.cmd.template",
	} {
		l.file("bin/"+name, l.embedded(name), 0o644)
	}
	for _, node := range []string{"node20", "node24"} {
		l.file("externals/"+node+"/bin/node", "#!/bin/sh\necho v"+strings.TrimPrefix(node, "node")+".0.0\n", 0o755)
		for _, tool := range []string{"npm", "npx"} {
			script := "lib/node_modules/npm/bin/" + tool + "-cli.js"
			l.file("externals/"+node+"/"+script, "// "+tool+"\n", 0o755)
			l.link("externals/"+node+"/bin/"+tool, "../"+script)
		}
	}
	return l.entries, l.err
}

// windowsLayout has no "./", no links and no modes.
func windowsLayout(spec ArchiveSpec, program string) ([]Entry, error) {
	l := layout{dirs: map[string]bool{}, bare: true}
	for _, name := range []string{"config.cmd", "run.cmd", "run-helper.cmd.template", "run-helper.sh.template"} {
		l.file(name, l.embedded(name), 0o644)
	}
	l.file("bin/Runner.Listener.exe", program, 0o755)
	l.file("bin/Runner.Worker.exe", program, 0o755)
	l.file("bin/.version", spec.Version+"\n", 0o644)
	l.file("bin/update.cmd.template", l.embedded("update.cmd.template"), 0o644)
	for _, node := range []string{"node20", "node24"} {
		l.file("externals/"+node+"/bin/node.exe", "simulated\n", 0o644)
	}
	return l.entries, l.err
}

// layout collects entries, each folder before what it holds.
type layout struct {
	entries []Entry
	dirs    map[string]bool
	bare    bool // without "./"
	err     error
}

func (l *layout) name(p string) string {
	if l.bare {
		return p
	}
	return "./" + p
}

func (l *layout) embedded(name string) string {
	raw, err := layoutFiles.ReadFile(path.Join(layoutDir, name))
	if err != nil && l.err == nil {
		l.err = fmt.Errorf("reading the embedded %q: %w", name, err)
	}
	return string(raw)
}

func (l *layout) dir(p string) {
	if l.dirs[p] {
		return
	}
	l.dirs[p] = true
	if p == "." {
		if !l.bare {
			l.entries = append(l.entries, Entry{Name: "./", Type: tar.TypeDir})
		}
		return
	}
	l.dir(path.Dir(p))
	l.entries = append(l.entries, Entry{Name: l.name(p) + "/", Type: tar.TypeDir})
}

func (l *layout) file(p, body string, mode int64) {
	l.dir(path.Dir(p))
	l.entries = append(l.entries, Entry{Name: l.name(p), Body: body, Mode: mode})
}

func (l *layout) link(p, target string) {
	l.dir(path.Dir(p))
	l.entries = append(l.entries, Entry{Name: l.name(p), Type: tar.TypeSymlink, Link: target, Mode: 0o777})
}
