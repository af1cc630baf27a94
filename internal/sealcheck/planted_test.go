package sealcheck_test

import (
	"strings"
	"testing"
)

// planted is what is left in images, each with what is to be said of it: KIND what[:LINE].
type planted struct{ file, text, want string }

func cloudConfig() string {
	return "#cloud-config\nwrite_files:\n- path: /etc/x\n  content: " + token() + "\nruncmd: [reboot]\n# " + strings.Repeat("filler ", 20) + "\n"
}

// secretsByShape are told wherever they stand.
func secretsByShape(t *testing.T) map[string]planted {
	t.Helper()
	filler := strings.Repeat("nothing to see here\n", 1<<14)
	const gitHub, key, jit = "secret an access token of GitHub", "secret a private key", "secret a just-in-time configuration"
	jitconfig := b64(`{".runner":"` + b64(`{"agentId":"1","agentName":"x","poolId":"1"}`) + `"}`)
	return map[string]planted{
		"a classic token":                  {"etc/x", token() + "\n", gitHub + ":1"},
		"of an app":                        {"srv/x", "a\nBearer " + strings.Replace(token(), "ghp", "ghs", 1), gitHub + ":2"},
		"of an app, with its claims":       {"srv/x", "x gh" + "s_123456_eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.c2ln-_", gitHub + ":1"},
		"of a user, by OAuth":              {"srv/x", strings.Replace(token(), "ghp", "gho", 1), gitHub + ":1"},
		"a refreshing one":                 {"srv/x", strings.Replace(token(), "ghp", "ghr", 1), gitHub + ":1"},
		"a fine-grained one":               {"etc/deep/er/x", "TOKEN=git" + "hub_pat_11ABCDEFG0abcdefghijkl_mnop", gitHub + ":1"},
		"between strokes":                  {"srv/x", `{"a":"` + token() + `"}`, gitHub + ":1"},
		"late in a log":                    {"var/log/x", filler + token(), gitHub + ":16385"},
		"in a large file":                  {"srv/x", strings.Repeat(filler, 15) + token(), gitHub + ":245761"},
		"between two windows":              {"srv/x", strings.Repeat("x", 4<<20-9) + " " + token() + strings.Repeat(" ", 1<<17), gitHub + ":1"},
		"in a package's folder":            {"usr/lib/x", token(), gitHub + ":1"},
		"in something binary":              {"opt/x", "\x00\x01\x02" + token() + "\x00", gitHub},
		"in UTF-16":                        {"srv/x", utf16LE("a token " + token()), gitHub + ", encoded"},
		"a key":                            {"root/app.pem", pem("RSA "), key + ":1"},
		"of OpenSSH":                       {"root/k", "x\n" + pem("OPENSSH "), key + ":2"},
		"PKCS #8":                          {"root/k", pem(""), key + ":1"},
		"encrypted":                        {"root/k", pem("ENCRYPTED "), key + ":1"},
		"with headers":                     {"root/k", strings.Replace(pem("RSA "), "-----\nMII", "-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES,0A\n\nMII", 1), key + ":1"},
		"of PGP":                           {"root/k", strings.ReplaceAll(pem("PGP "), "KEY-", "KEY BLOCK-"), key + ":1"},
		"a key in one line":                {"etc/x.json", `{"private_key": "` + strings.ReplaceAll(pem(""), "\n", `\n`) + `"}`, key + ":1"},
		"indented":                         {"etc/x.yaml", "key: |\n  " + strings.ReplaceAll(pem(""), "\n", "\n  "), key + ":2"},
		"with Windows' lines":              {"etc/x", strings.ReplaceAll(pem(""), "\n", "\r\n"), key + ":1"},
		"DER":                              {"root/x", fromHex(t, "308204be020100300d06092a864886f70d0101010500048204a8"), key},
		"of PuTTY":                         {"root/x", "PuTTY-User-Key" + "-File-3: ssh-ed25519\n", "secret a private key of PuTTY:1"},
		"of WireGuard":                     {"etc/wg", "[Interface]\nPrivateKey = yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=\n", "secret a key of WireGuard:2"},
		"of age":                           {"root/x", "AGE-SECRET" + "-KEY-1QYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGP", "secret a private key of age:1"},
		"a jitconfig":                      {"srv/jit", jitconfig, jit + ":1"},
		"a jitconfig in a command":         {"var/log/x", "\n./run.sh --jitconfig " + jitconfig, jit + ":2"},
		"an access key of AWS":             {"srv/x", "AKI" + "AQ2W3E4R5T6Y7U2I3", "secret an access key of AWS:1"},
		"its secret":                       {"srv/x", "aws_secret" + "_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYzz12345678", "secret a secret access key of AWS:1"},
		"its secret, in JSON":              {"srv/x", `"Secret` + `AccessKey": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzz12345678"`, "secret a secret access key of AWS:1"},
		"a JWT":                            {"srv/x", "id=" + jwt(), "secret a signed token (JWT):1"},
		"a registration token":             {"root/.xonsh", "./config.sh --url https://github.com/o --token " + registration(), "secret a registration token:1"},
		"as a variable":                    {"srv/run.sh", "RUNNER_TOKEN=" + registration(), "secret a registration token:1"},
		"as JSON":                          {"srv/x", `{"token": "` + registration() + `"}`, "secret a registration token:1"},
		"a password in a URL":              {"etc/apt/apt.conf.d/80proxy", "Acquire::http::Proxy \"http://corp:S3cr3t99@proxy:3128\";", "secret a password in a URL:1"},
		"a percent sign in one":            {"etc/x", "http://corp:S3cr%2F3t99@proxy:3128", "secret a password in a URL:1"},
		"a clone of a repository":          {"srv/r/.git/config", "url = https://x-access-token:" + "S3cr3tS3cr3t@github.com/o/r", "secret a password in a URL:1"},
		"a header":                         {"root/x", `curl -H "Authorization: Bearer abcdef0123456789abcdef"`, "secret a header with a credential:1"},
		"of npm":                           {"root/.npmrc", "//registry.example.com/:_auth" + "Token=abcdef012345-6789", "secret a credential of npm:1"},
		"of GitLab":                        {"srv/x", "gl" + "pat-AbCdEfGhIjKlMnOpQrSt", "secret an access token:1"},
		"in base64":                        {"var/lib/cloud/instances/i-1/user-data.txt", b64(cloudConfig()), gitHub + ", encoded:1"},
		"in base64, over lines":            {"srv/x", "MIME-Version: 1.0\n\n" + wrapped(cloudConfig()), gitHub + ", encoded:3"},
		"in base64, in YAML":               {"srv/x", "- content: " + b64("export X="+token()) + "\n", gitHub + ", encoded:1"},
		"a header of docker in base64":     {"srv/x", `{"auths":{"ghcr.io":{"x":"` + b64("octocat:"+token()) + `"}}}`, gitHub + ", encoded:1"},
		"gzip":                             {"var/log/syslog.2.gz", zipped(t, filler+token()), gitHub + ", encoded"},
		"late in much base64":              {"srv/x", "x=" + b64(strings.Repeat(filler, 15)+token()), gitHub + ", encoded:1"},
		"gzip in base64":                   {"srv/x", "#\n" + b64(zipped(t, cloudConfig())), gitHub + ", encoded:2"},
		"base64 of gzip in base64 in YAML": {"srv/x", b64("write_files: [{encoding: gz+b64, content: " + b64(zipped(t, cloudConfig())) + "}]"), gitHub + ", encoded:1"},
		"a journal":                        {"var/log/journal/1/system.journal", "LPKSHHRH\x00\x00MESSAGE=token " + token() + "\x00", gitHub + "|trace the journal of this host"},
		"a command in the journal":         {"var/log/journal/1/user@1.journal~", "LPKSHHRH\x00_CMDLINE=x --token " + registration() + "\x00", "secret a registration token|trace the journal of this host"},
	}
}

// secretsByPlace are told by where they stand.
func secretsByPlace(t *testing.T) map[string]planted {
	t.Helper()
	const pages = 4096
	swap := strings.Repeat("\x00", pages-10) + "SWAPSPACE2"
	core := "\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 9) + "\x04\x00" + strings.Repeat("\x00", 64)
	unit := "[Service]\nExecStart=/usr/bin/true\n"
	const starts, variable = "runner a service that would start a runner in every copy", "secret a variable whose name says that it is a secret"
	const ofService = "secret a variable of a service, whose name says that it is a secret"
	return map[string]planted{
		"an official runner in a home": {"home/ci/actions-runner/.runner", `{"agentId": 7, "gitHubUrl": "https://github.com/o"}`, "runner the registration of a runner"},
		"its key":                      {"home/ci/r/.credentials_rsaparams", `{"d": "x"}`, "runner the key of a registered runner"},
		"its credential":               {"actions-runner/.credentials", `{"scheme": "OAuth", "data": {}}`, "runner the credential of a registered runner"},
		"one below /opt":               {"opt/gha/r1/.runner", `{"AgentId": 7}`, "runner the registration of a runner"},
		"our unit":                     {"etc/systemd/system/a.service", "ExecStart=\"/usr/bin/runner-bootstrap\" run --name a\n", starts + ":1"},
		"over two lines":               {"etc/systemd/system/a.service", "[Service]\nExecStart=/usr/bin/runner-bootstrap \\\n  --dir /x run\n", starts + ":2"},
		"GitHub's unit":                {"usr/lib/systemd/system/a.service", "ExecStart=/opt/r/runsvc.sh\n", starts + ":1"},
		"one in /usr/local":            {"usr/local/lib/systemd/system/a.service", "ExecStart=/opt/r/runsvc.sh\n", starts + ":1"},
		"one in /run":                  {"run/systemd/system/a.service", "ExecStart=/opt/r/runsvc.sh\n", starts + ":1"},
		"of a user":                    {"home/ci/.config/systemd/user/a.service", "ExecStart=%h/actions-runner/run.sh\n", starts + ":1"},
		"a drop-in":                    {"etc/systemd/system/a.service.d/x.conf", "[Service]\nExecStart=\nExecStart=/r/bin/Runner.Listener run\n", starts + ":3"},
		"a drop-in with a variable":    {"etc/systemd/system/a.service.d/x.conf", "[Service]\nEnvironment=\"A=b\" \"GH_TOKEN=hunter-hunter2\"\n", ofService + ":2"},
		"a unit with a variable":       {"usr/local/lib/systemd/system/a.service", unit + "Environment=DB_PASSWORD=hunter-hunter2\n", ofService + ":3"},
		"a credential of a unit":       {"etc/systemd/system/a.service", unit + "SetCredential=db_password:hunter-hunter2\n", ofService + ":3"},
		"a script of another manager":  {"etc/init.d/runner", "#!/bin/sh\ncommand=/usr/bin/runner-bootstrap run --name a\n", "runner would start a runner in every copy:2"},
		"cron":                         {"var/spool/cron/crontabs/ci", "@reboot /home/ci/actions-runner/run.sh\n", "runner would start a runner in every copy:1"},
		"bash's history":               {"root/.bash_history", "ls\nexport GH_TOKEN=hunter-hunter2\n", variable + ":2|trace what somebody has typed"},
		"zsh's":                        {"home/x/.zsh_history", ": 1:0;curl -u a:b https://octo:S3cr3t99@h/\n", "secret a password in a URL:1|trace what somebody has typed"},
		"fish's":                       {"home/x/.local/share/fish/fish_history", "- cmd: x " + token() + "\n", "secret an access token of GitHub:1|trace what somebody has typed"},
		"python's":                     {"root/.python_history", "t = '" + token() + "'\n", "secret an access token of GitHub:1|trace what somebody has typed"},
		"node's, psql's, less's":       {"root/.node_repl_history", token() + "\n", "secret an access token of GitHub:1|trace what somebody has typed"},
		".netrc":                       {"root/.netrc", "machine github.com login x password hunter2\n", "secret a password for other hosts"},
		".git-credentials":             {"home/x/.git-credentials", "https://x:hunter2@github.com\n", "secret credentials of git"},
		"docker":                       {"root/.docker/config.json", `{"auths":{"x":{"auth":"eDpodW50ZXIy"}}}`, "secret credentials of a container registry"},
		"aws":                          {"home/x/.aws/credentials", "[default]\naws_session_token = aaaabbbbccccdddd\n", "secret credentials of AWS"},
		"azure":                        {"root/.azure/msal_token_cache.json", `{}`, "secret credentials of Azure"},
		"gcloud":                       {"root/.config/gcloud/credentials.db", "SQLite format 3", "secret credentials of Google Cloud"},
		"gh":                           {"root/.config/gh/hosts.yml", "github.com:\n  oauth_token: aaaabbbb\n", "secret credentials of gh"},
		"pypi":                         {"root/.pypirc", "[pypi]\npassword = hunter2\n", "secret credentials of a package index"},
		"cargo":                        {"root/.cargo/credentials.toml", "[registry]\ntoken = \"hunter2hunter2\"\n", "secret credentials of a package index"},
		"kube":                         {"root/.kube/config", "users:\n- user:\n    token: aaaabbbbcccc\n", "secret credentials of Kubernetes"},
		"a key of ssh":                 {"home/x/.ssh/id_ed25519", pem("OPENSSH "), "secret a key for ssh"},
		"/root/token":                  {"root/token", "Zm9vYmFyMTIzNDU2\n", "secret a text that its name says to be a secret:1"},
		"a file called secret":         {"etc/myapp/client-secret", "a1b2c3d4e5f6a7b8\n", "secret a text that its name says to be a secret:1"},
		"/etc/environment":             {"etc/environment", "PATH=/bin\nRUNNER_CFG_PAT=hunter-hunter2\n", variable + ":2"},
		"/etc/default":                 {"etc/default/x", "X_SECRET='hunter-hunter2'\n", variable + ":1"},
		"a profile":                    {"etc/profile.d/x.sh", "export NPM_TOKEN=hunter-hunter2\n", variable + ":1"},
		".bashrc":                      {"home/x/.bashrc", "export API_KEY=hunter-hunter2\n", variable + ":1"},
		"auth.log":                     {"var/log/auth.log", "sudo: COMMAND=/x --token " + registration() + "\n", "secret a registration token:1"},
		"cloud-init's log":             {"var/log/cloud-init-output.log", "x " + token(), "secret an access token of GitHub:1"},
		"cloud-init's seed":            {"var/lib/cloud/seed/nocloud/user-data", cloudConfig(), "secret an access token of GitHub:4"},
		"the instance's data":          {"var/lib/cloud/instances/i-1/obj.pkl", "\x80\x04" + token(), "secret an access token of GitHub:1|trace what cloud-init remembers of this host"},
		"a package manager's log":      {"var/log/apt/history.log", "Commandline: x=" + token(), "secret an access token of GitHub:1"},
		"apt's passwords":              {"etc/apt/auth.conf.d/x.conf", "machine repo.corp login a password b\n", "secret a password for other hosts"},
		"a repository of dnf":          {"etc/yum.repos.d/x.repo", "[x]\nusername=a\npassword=hunter2\n", "secret a password of a package manager"},
		"a wireless network":           {"etc/NetworkManager/system-connections/w.nmconnection", "[wifi-security]\npsk=hunter22\n", "secret a password of a network"},
		"wpa_supplicant":               {"etc/wpa_supplicant/wpa_supplicant-wlan0.conf", "network={\n psk=\"hunter22\"\n}\n", "secret a password of a network"},
		"netplan":                      {"etc/netplan/50.yaml", "  access-points:\n    x:\n      password: hunter22\n", "secret a password of a network"},
		"a dial-up":                    {"etc/ppp/chap-secrets", "# x\na * hunter22 *\n", "secret a password of a connection"},
		"Kerberos":                     {"etc/krb5.keytab", "\x05\x02", "secret a key table of Kerberos"},
		"a store of keys":              {"home/x/cert.p12", "0\x82", "secret a store of keys"},
		"a core dump":                  {"var/lib/systemd/coredump/core.x.zst", "(\xb5/\xfd", "memory what a program had in its memory when it crashed"},
		"a core dump anywhere":         {"home/x/core", core, "memory what a program had in its memory when it crashed"},
		"a swap file":                  {"swapfile", swap + strings.Repeat("x", pages), "memory a swap file that was used: what programs had in their memory"},
		"a new swap file":              {"swapfile", swap + strings.Repeat("\x00", pages), ""},
		"something left":               {"var/tmp/x", token(), "secret an access token of GitHub:1"},
		"the machine's id":             {"etc/machine-id", strings.Repeat("0a", 16) + "\n", "identity the identity of this machine"},
		"the machine's id in capitals": {"etc/machine-id", strings.Repeat("0A", 16) + "\n", "identity the identity of this machine"},
		"the machine's id for D-Bus":   {"var/lib/dbus/machine-id", "\n " + strings.Repeat("Fa", 16) + " \r\n", "identity the identity of this machine"},
		"none yet":                     {"etc/machine-id", "uninitialized\n", ""},
		"the keys of the host":         {"etc/ssh/ssh_host_rsa_key", pem("OPENSSH "), "identity a key by which this machine is known to those who come by ssh"},
		"snakeoil":                     {"etc/ssl/private/ssl-cert-snakeoil.key", pem(""), "identity a certificate's key that was made for this machine by the package ssl-cert"},
		"a seed":                       {"var/lib/systemd/random-seed", "\x01\x02", "identity what the random numbers of the next boot begin with"},
		"a lease":                      {"var/lib/dhcp/dhclient.eth0.leases", "lease {\n}\n", "identity an address that this machine was given"},
		"an account with a password":   {"etc/shadow", "root:*:1::::::\nx:$y$j9T$a$b:1::::::\n", "access an account with a password"},
		"an account without one":       {"etc/shadow", "root::1::::::\n", "access an account that needs no password"},
		"keys that are let in":         {"root/.ssh/authorized_keys", "ssh-ed25519 AAAA x\n", "access keys that are let in by ssh"},
		"a history without a secret":   {"root/.bash_history", "ls\n", "trace what somebody has typed"},
	}
}

// harmless is what is on clean hosts, and in documentation.
func harmless() map[string]planted {
	all := map[string]planted{}
	for name, p := range map[string][2]string{
		"a configuration":             {"etc/runner-bootstrap/config.yaml", "url: https://github.com/octo-org\ntoken-file: /run/token\ntoken-command: aws x\n"},
		"a prefix alone":              {"srv/doc", "tokens begin with gh" + "p_ or git" + "hub_pat_"},
		"an example":                  {"srv/doc", "ghp_" + strings.Repeat("x", 36)},
		"a part of a word":            {"srv/x", "aghp_" + token()[4:]},
		"a public key":                {"etc/x.pem", strings.ReplaceAll(pem(""), "PRIVATE", "PUBLIC")},
		"a header without a key":      {"srv/doc", "it begins with -----BEGIN RSA PRIVATE " + "KEY----- and then"},
		"a key without a key":         {"srv/doc", "-----BEGIN PRIVATE " + "KEY-----\nMIIE...\n-----END PRIVATE KEY-----\n"},
		"words of a program":          {"usr/bin/x", "ghr_" + "AKIAASIAokenOKENnpm_AIzahvs.passxxxxnullPWD\x00"},
		"AWS' example":                {"srv/doc", "AKIA" + "IOSFODNN7EXAMPLE\naws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"},
		"a URL's example":             {"srv/doc", "http://user:password@proxy.example.com:3128 http://me:$PASS@h http://a:b@h ssh://git@h:22/x@y"},
		"a URL with a port":           {"srv/x", "https://h:8080/a@b"},
		"a word":                      {"srv/x", "the token ABOUT which; token=$TOKEN; RUNNER_TOKEN=${TOKEN}"},
		"a path as a variable":        {"etc/default/x", "GH_TOKEN_FILE=/run/x\nX_TOKEN=/run/y\n# X_SECRET=hunter-hunter2\nPASSWORD=$PASS\n"},
		"the first boot's unit":       {"usr/lib/systemd/system/runner-bootstrap-firstboot.service", "ExecStart=/usr/bin/runner-bootstrap install\n"},
		"another unit":                {"etc/systemd/system/x.service", "Description=runner-bootstrap run\n# ExecStart=/r/runsvc.sh\nExecStart=/bin/true\n"},
		"a listener without a runner": {"opt/r/bin/Runner.Listener", "\x7fELF\x02\x01\x01"},
		".runner of something else":   {"home/x/.runner", "{}"},
		"compiled":                    {"usr/lib/python3/__pycache__/x.pyc", pem("")},
		"documentation's password":    {"usr/share/doc/x", "http://corp:S3cr3t99@proxy:3128 " + jwt()},
		"a certificate":               {"etc/ssl/certs/x.pem", strings.ReplaceAll(pem(""), "PRIVATE KEY", "CERTIFICATE")},
		"a known host":                {"root/.ssh/known_hosts", "github.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl\n"},
		"docker without a login":      {"root/.docker/config.json", `{"auths":{}}`},
		"netrc without a password":    {"root/.netrc", "# password\n"},
		"an image as base64":          {"srv/x.html", "data:image/png;base64," + strings.Repeat("iVBORw0KGgoAAAANSUhEUgAA", 20)},
		"a name without a secret":     {"etc/tokens.conf", "enable = yes\n"},
		"a hash":                      {"srv/go.sum", "x v1 h1:yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=\n"},
		"a locked account":            {"etc/shadow", "root:!*:1::::::\nx:!:1::::::\n"},
	} {
		all[name] = planted{p[0], p[1], ""}
	}
	return all
}
