package sealcheck_test

import (
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf16"
)

// unmarked is UTF-16 without a byte order mark.
func unmarked(order binary.AppendByteOrder, text string) string {
	var out []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		out = order.AppendUint16(out, unit)
	}
	return string(out)
}

// neighbours are what stood beside what was found, and was not.
func neighbours(t *testing.T) map[string]planted {
	t.Helper()
	const gitHub, typed = "secret an access token of GitHub", "|trace what somebody has typed"
	const known, install, mail = "secret an access token:1", "secret a password of an installation", "secret a password for mail"
	const service, index, disk = "secret a credential of a build service", "secret credentials of a package index", "secret a password for a disk of others"
	const swapped = "memory a swap file that was used: what programs had in their memory"
	long := strings.Repeat("a1B2c3D4", 12)
	swap := func(page int, rest string) string { return strings.Repeat("\x00", page-10) + "SWAPSPACE2" + rest }
	all := map[string]planted{
		"after a colour":                  {"var/log/x", "\x1b[1;32m" + token() + "\x1b[0m\n", gitHub + ":1"},
		"after a colour that was written": {"var/log/x", `\033[32m` + token(), gitHub + ":1"},
		"after a line's end in JSON":      {"var/log/x", `{"m":"it is\n` + token() + `"}`, gitHub + ":1"},
		"after a stroke in JSON":          {"var/log/x", `{"m":"\u0022` + token() + `"}`, gitHub + ":1"},
		"in a URL":                        {"var/log/x", "GET /x?t=%3D" + token() + "%26", gitHub + ":1"},
		"UTF-16 without a mark":           {"srv/x", unmarked(binary.LittleEndian, "the token is "+token()), gitHub + ", encoded"},
		"the other way round":             {"srv/x", unmarked(binary.BigEndian, "the token is "+token()), gitHub + ", encoded"},
		"in the second part of a gzip":    {"var/log/x.gz", zipped(t, "one\n") + zipped(t, token()), gitHub + ", encoded"},
		"a command that was audited":      {"var/log/audit/audit.log", `a0="config.sh" a1="--token" a2="` + registration() + `"`, "secret a registration token:1"},
		"a signature of Azure":            {"srv/x", "https://x.blob.core.windows.net/c?sv=1&sig=" + long[:43] + "%3D", "secret a shared access signature of Azure:1"},
		"a swap file of large pages":      {"swapfile", swap(64<<10, "xyz"), swapped},
		"a swap file used late":           {"swapfile", swap(4<<10, strings.Repeat("\x00", 5<<20)+"xyz"), swapped},
		"powershell's history":            {"root/.local/share/powershell/PSReadLine/ConsoleHost_history.txt", "ls\n", typed[1:]},
		"nvim's":                          {"root/.local/state/nvim/shada/main.shada", "x", typed[1:]},
		"a job of at":                     {"var/spool/cron/atjobs/a1", "#!/bin/sh\n", ""},
		"a job of at with a variable":     {"var/spool/at/a1", "GH_TOKEN=hunter-hunter2; export GH_TOKEN\n", "secret a variable whose name says that it is a secret:1"},
		"a container's variables":         {"var/lib/docker/containers/a/config.v2.json", `{"Env":["A=b","DB_PASSWORD=hunter-hunter2"]}`, "secret a variable whose name says that it is a secret:1"},
		"Ansible":                         {"root/.vault_pass", "correcthorse\n", "secret a password of Ansible's vault"},
		"systemd's credentials":           {"etc/credstore/db", "x", "secret a credential of systemd"},
		"Postfix":                         {"etc/postfix/sasl_passwd", "[smtp.x]:587 u:hunter22\n", mail},
		"Exim":                            {"etc/exim4/passwd.client", "# x\nsmtp.x:u:hunter22\n", mail},
		"msmtp":                           {"root/.msmtprc", "account x\npassword hunter22\n", mail},
		"a shared folder in fstab":        {"etc/fstab", "//nas/x /mnt cifs username=u,password=hunter22,ro 0 0\n", disk},
		"iSCSI":                           {"etc/iscsi/iscsid.conf", "node.session.auth.password = hunter22\n", disk},
		"kickstart":                       {"root/anaconda-ks.cfg", "rootpw --plaintext hunter22\n", install},
		"preseed":                         {"preseed.cfg", "d-i passwd/root-password password hunter22\n", install},
		"cloud-init's passwords":          {"etc/cloud/cloud.cfg.d/99-x.cfg", "chpasswd:\n  list: |\n    root:hunter22\n", install},
		"debconf":                         {"var/cache/debconf/passwords.dat", "Name: x\nValue: hunter22\n", "secret answers that were given to debconf"},
		"Tailscale":                       {"var/lib/tailscale/tailscaled.state", "{}", "secret the key of a private network"},
		"k3s":                             {"var/lib/rancher/k3s/server/token", "K10a::server:b\n", "secret a token of a cluster"},
		"GitLab's runner":                 {"etc/gitlab-runner/config.toml", "[[runners]]\n  token = \"hunter-hunter2\"\n", service},
		"Buildkite":                       {"etc/buildkite-agent/buildkite-agent.cfg", "token=\"hunter-hunter2\"\n", service},
		"yarn":                            {"root/.yarnrc.yml", "npmAuthToken: \"8f1c2b7e-1111\"\n", index},
		"gradle":                          {"root/.gradle/gradle.properties", "mavenPassword=hunter22\n", index},
		"poetry":                          {"root/.config/pypoetry/auth.toml", "[http-basic.x]\npassword = \"hunter22\"\n", index},

		"a word after a letter":      {"srv/x", "xn" + token() + " \x1b[m", ""},
		"fstab without a password":   {"etc/fstab", "//nas/x /mnt cifs credentials=/etc/x,ro 0 0\n# password=hunter22\n", ""},
		"iSCSI's example":            {"etc/iscsi/iscsid.conf", "#node.session.auth.password = password\n", ""},
		"kickstart without one":      {"root/anaconda-ks.cfg", "rootpw --lock\n", ""},
		"cloud-init's own":           {"etc/cloud/cloud.cfg.d/05_logging.cfg", "system_info:\n  default_user:\n    lock_passwd: True\n", ""},
		"debconf without answers":    {"var/cache/debconf/passwords.dat", "Name: x\nTemplate: x\nValue: \nOwners: y\n", ""},
		"a picture of few bits":      {"srv/x", strings.Repeat("\x01\x00", 200), ""},
		"msmtp without a password":   {"etc/msmtprc", "account x\npasswordeval cat /run/x\n", ""},
		"gradle without a password":  {"root/.gradle/gradle.properties", "org.gradle.jvmargs=-Xmx2g\n", ""},
		"a word with escape letters": {"srv/x", "spawnghp_" + strings.Repeat("a1", 18), ""},
	}
	for name, word := range map[string]string{
		"GitLab's": "glrt-" + long[:20], "Docker's": "dckr_pat_" + long[:27], "Anthropic's": "sk-ant-api03-" + long[:60], "OpenAI's": "sk-proj-" + long[:60],
		"SendGrid's": "SG." + long[:22] + "." + long[:43], "Doppler's": "dp.st.prd." + long[:40], "a node's of Tailscale": "tskey-auth-" + long[:32],
		"Pulumi's": "pul-" + strings.Repeat("0a1b2c3d", 5), "Sentry's": "sntrys_" + long[:60],
	} {
		all["a token, "+name] = planted{"srv/x", "x " + word + "\n", known}
	}
	return all
}
