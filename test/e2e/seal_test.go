//go:build e2e && linux

package e2e_test

import (
	"encoding/base64"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// forgotten is what was found in images, all at once: each file, and a text with the machine's own token or with another secret.
func forgotten(secret string) map[string]string {
	registration := "--token AABF3JGZDX3P5PM" + "EXLND6TS6FCWO6"
	key := "-----BEGIN OPENSSH PRIVATE " + "KEY-----\n" + strings.Repeat("b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gt\n", 3)
	return map[string]string{
		"/etc/runner-bootstrap/forgotten":                    secret,
		"/root/token":                                        secret,
		"/root/app.pem":                                      key,
		"/root/.bash_history":                                "export X=" + secret,
		"/root/.zsh_history":                                 ": 1:0;./config.sh " + registration,
		"/root/.python_history":                              "t='" + secret + "'",
		"/root/.netrc":                                       "machine github.com login x password hunter2",
		"/root/.git-credentials":                             "https://x:" + secret + "@github.com",
		"/root/.docker/config.json":                          `{"auths":{"ghcr.io":{"auth":"eDpodW50ZXIy"}}}`,
		"/root/.aws/credentials":                             "[default]\naws_session_token = aaaabbbbccccdddd",
		"/root/.config/gh/hosts.yml":                         "github.com:\n  oauth_token: " + secret,
		"/root/.npmrc":                                       "//npm.pkg.github.com/:_authToken=" + secret,
		"/home/ci/.ssh/id_ed25519":                           key,
		"/home/ci/actions-runner/.runner":                    `{"agentId": 7, "gitHubUrl": "https://github.com/o"}`,
		"/home/ci/actions-runner/.credentials":               `{"scheme": "OAuth", "data": {"clientId": "x"}}`,
		"/home/ci/actions-runner/.credentials_rsaparams":     `{"d": "x"}`,
		"/home/ci/.config/systemd/user/r.service":            "[Service]\nExecStart=/home/ci/actions-runner/run.sh",
		"/etc/systemd/system/actions.runner.o.x.service":     "[Service]\nExecStart=/home/ci/actions-runner/runsvc.sh",
		"/usr/local/lib/systemd/system/r.service":            "[Service]\nExecStart=/usr/bin/runner-bootstrap run --name x",
		"/etc/systemd/system/apt-daily.service.d/proxy.conf": "[Service]\nEnvironment=https_proxy=http://corp:S3cr3t99@proxy:3128",
		"/etc/environment":                                   "GH_TOKEN=" + secret,
		"/etc/apt/apt.conf.d/80proxy":                        `Acquire::http::Proxy "http://corp:S3cr3t99@proxy:3128";`,
		"/etc/apt/auth.conf.d/corp.conf":                     "machine repo login a password hunter2",
		"/etc/NetworkManager/system-connections/w":           "[wifi-security]\npsk=hunter22",
		"/var/lib/cloud/seed/nocloud/user-data":              base64.StdEncoding.EncodeToString([]byte("#cloud-config\nruncmd:\n- x " + secret + "\n")),
		"/var/lib/cloud/instances/i-1/user-data.txt":         "#cloud-config\nruncmd:\n- ./config.sh " + registration,
		"/var/log/auth.log":                                  "sudo: root : COMMAND=/x/config.sh " + registration,
		"/var/log/cloud-init-output.log":                     "token: " + secret,
		"/var/log/apt/term.log":                              "fetching https://corp:S3cr3t99@repo/x",
		"/var/lib/systemd/coredump/core.Runner.zst":          "x",
		"/var/tmp/left":                                      secret,
		"/opt/gha/.env":                                      "RUNNER_TOKEN=AABF3JGZDX3P5PM" + "EXLND6TS6FCWO6",
	}
}

// forgets: a booted machine on which all of that was forgotten is refused with all of it named and none of it shown; --fix takes
// what each machine makes again, and no more.
func (h *host) forgets(t *testing.T) {
	t.Helper()
	secret := h.server.Token()
	all := forgotten(secret)
	paths := slices.Sorted(maps.Keys(all))
	var script strings.Builder
	for _, path := range paths {
		fmt.Fprintf(&script, "mkdir -p '%s'\nbase64 -d >'%s' <<.\n%s\n.\n", filepath.Dir(path), path, base64.StdEncoding.EncodeToString([]byte(all[path]+"\n")))
	}
	if r := h.RunInput(t.Context(), strings.NewReader(script.String()), "sh", "-e"); r.Code != 0 {
		t.Fatalf("forgetting: %s", r)
	}
	h.Must("systemd-cat", "--identifier=forgotten", "echo", "x "+secret)
	h.Must("journalctl", "--sync")
	r := h.Run(t.Context(), "runner-bootstrap", "prepare", "--seal", "--json")
	if r.Code != 3 {
		t.Errorf("sealing: %s\nwant exit code 3", r)
	}
	for _, path := range paths {
		if !strings.Contains(r.Stdout, `"path": "`+path+`"`) {
			t.Errorf("%s is not named", path)
		}
	}
	if !strings.Contains(r.Stdout, `"path": "/var/log/journal/`) && !strings.Contains(h.Must("sh", "-c", "ls /var/log/journal || true"), "No such") {
		t.Error("the journal is not named")
	}
	for _, word := range []string{secret, "S3cr3t99", "hunter2", "EXLND6TS6FCWO6"} {
		if strings.Contains(r.Stdout+r.Stderr, word) {
			t.Errorf("a secret is shown: %s", r)
		}
	}
	if r := h.Run(t.Context(), "runner-bootstrap", "prepare", "--seal", "--fix"); r.Code != 3 || !strings.Contains(r.Stdout, "removed  /var/lib/cloud/instances") {
		t.Errorf("sealing with --fix: %s", r)
	}
	left := strings.Split(h.Must(append([]string{"sh", "-c", `for path; do [ ! -e "$path" ] || echo "$path"; done`, "sh"}, paths...)...), "\n")
	for _, path := range paths {
		goes := strings.HasPrefix(path, "/var/log/") || strings.HasPrefix(path, "/var/lib/cloud/instances/") || strings.HasPrefix(path, "/var/lib/systemd/coredump/")
		if gone := !slices.Contains(left, path); gone != goes {
			t.Errorf("%s is gone: %v", path, gone)
		}
	}
	h.Must(append([]string{"rm", "-rf", "/home/ci", "/opt/gha"}, paths...)...)
}
