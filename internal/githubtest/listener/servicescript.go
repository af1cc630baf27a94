package main

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

// writeServiceScript makes svc.sh out of its template, on the systems that have one.
func (p *program) writeServiceScript(s savedSettings) error {
	template, ending := "systemd.svc.sh.template", ".service"
	switch runtime.GOOS {
	case "windows":
		return nil
	case "darwin":
		template, ending = "darwin.svc.sh.template", ""
	}
	raw, err := os.ReadFile(filepath.Join(p.bin, template))
	if err != nil {
		return fmt.Errorf("reading the template of svc.sh: %w", err)
	}
	scope := serviceScope(s)
	name := "actions.runner." + scope + "." + strings.ReplaceAll(s.AgentName, " ", "_") + ending
	text := strings.NewReplacer(
		"{{SvcNameVar}}", name, "{{SvcDescription}}", "GitHub Actions Runner ("+scope+"."+s.AgentName+")",
	).Replace(string(raw))
	if err := os.WriteFile(p.path("svc.sh"), []byte(text), 0o755); err != nil {
		return fmt.Errorf("writing svc.sh: %w", err)
	}
	return nil
}

// serviceScope is the scope in a service's name: that of the web address only if the server is GitHub's own, otherwise
// the first part of the server's path. See actions/runner source, ServiceControlManager.cs.
func serviceScope(s savedSettings) string {
	u, err := url.Parse(s.ServerURL)
	if err != nil {
		return ""
	}
	path := strings.Trim(u.Path, "/")
	if strings.HasSuffix(u.Hostname(), ".githubusercontent.com") {
		if web, err := url.Parse(s.GitHubURL); err == nil {
			return regexp.MustCompile(`[^0-9A-Za-z._-]`).ReplaceAllString(strings.Trim(web.Path, "/"), "-")
		}
	}
	first, _, _ := strings.Cut(path, "/")
	return first
}
