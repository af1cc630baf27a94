package main

import (
	"embed"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// An update puts the scripts of the root folder back as they were made, whatever was changed in them.
//
//go:embed layout
var layoutFiles embed.FS

// selfUpdate prepares the folders of the new version, starts the script that swaps them and ends the listener.
func (l *listener) selfUpdate() (code int, ended bool) {
	target := l.update
	l.update = ""
	if target == "" || target == l.version {
		return 0, false
	}
	l.note("Runner update in progress, do not shutdown runner.")
	l.note("Downloading %s runner", target)
	if err := l.prepareUpdate(target); err != nil {
		l.complain("Self-update failed: %s", err)
		return 0, false
	}
	l.note("Waiting for current job finish running.")
	l.note("Generate and execute update script.")
	if err := l.launchUpdate(target); err != nil {
		l.complain("Self-update failed: %s", err)
		return 0, false
	}
	l.note("Runner will exit shortly for update, should be back online within 10 seconds.")
	l.server.close()
	if l.settings.Ephemeral.isTrue() {
		return exitUpdatingOnce, true
	}
	return exitUpdating, true
}

// prepareUpdate makes bin.V and externals.V beside the folders in use.
func (l *listener) prepareUpdate(target string) error {
	for _, part := range []string{"bin", "externals"} {
		to := l.path(part + "." + target)
		if err := os.RemoveAll(to); err != nil {
			return fmt.Errorf("clearing %q: %w", to, err)
		}
		from, err := filepath.EvalSymlinks(l.path(part))
		if err != nil {
			return fmt.Errorf("finding %s: %w", part, err)
		}
		if err := os.CopyFS(to, os.DirFS(from)); err != nil {
			return fmt.Errorf("copying %s: %w", part, err)
		}
	}
	bin := l.path("bin." + target)
	if err := os.WriteFile(filepath.Join(bin, ".version"), []byte(target+"\n"), 0o644); err != nil {
		return fmt.Errorf("naming the new version: %w", err)
	}
	return putRootScripts(filepath.Join(bin, ".root"))
}

func putRootScripts(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("unpacking the scripts: %w", err)
	}
	names := []string{"config.sh", "run.sh", "env.sh", "safe_sleep.sh"}
	if runtime.GOOS == "windows" {
		names = []string{"config.cmd", "run.cmd"}
	}
	names = append(names, "run-helper.sh.template", "run-helper.cmd.template")
	for _, name := range names {
		raw, err := layoutFiles.ReadFile(path.Join("layout", name))
		if err != nil {
			return fmt.Errorf("unpacking %q: %w", name, err)
		}
		mode := os.FileMode(0o755)
		if strings.HasSuffix(name, ".template") {
			mode = 0o644
		}
		if err := os.WriteFile(filepath.Join(dir, name), raw, mode); err != nil {
			return fmt.Errorf("unpacking %q: %w", name, err)
		}
	}
	return nil
}

// launchUpdate writes the update script and starts it. It waits for this process to end, in this working directory.
func (l *listener) launchUpdate(target string) error {
	name, shell := "update.sh", []string{"sh"}
	if runtime.GOOS == "windows" {
		name, shell = "update.cmd", []string{"cmd", "/C"}
	}
	raw, err := os.ReadFile(filepath.Join(l.bin, name+".template"))
	if err != nil {
		return fmt.Errorf("reading the update script: %w", err)
	}
	dir, err := os.Getwd()
	if err != nil {
		return fmt.Errorf("finding the working directory: %w", err)
	}
	logName := "SelfUpdate-" + time.Now().UTC().Format("20060102-150405") + ".log"
	text := strings.NewReplacer(
		"{{ROOT}}", l.root, "{{PID}}", strconv.Itoa(os.Getpid()), "{{OLD}}", l.version, "{{NEW}}", target,
		"{{LOG}}", filepath.Join(l.root, "_diag", logName), "{{LOGNAME}}", logName, "{{CWD}}", dir,
	).Replace(string(raw))
	script := filepath.Join(l.workFolder(), "_"+name)
	if err := os.MkdirAll(filepath.Dir(script), 0o755); err != nil {
		return fmt.Errorf("writing the update script: %w", err)
	}
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		return fmt.Errorf("writing the update script: %w", err)
	}
	cmd := exec.Command(shell[0], append(shell[1:], script)...)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting the update script: %w", err)
	}
	// It outlives this process; nobody here waits for it.
	return cmd.Process.Release()
}
