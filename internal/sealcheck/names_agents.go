package sealcheck

import "github.com/runner-bootstrap/runner-bootstrap/internal/pattern"

// networkPlaces are those of what connects a host with others: tunnels, mounts of others, directories, clusters.
func networkPlaces() []place {
	return []place{
		{Secret, "a key of a connection", []string{"*.secrets"}, pattern.New(`(?m)^[^#\n]*:\s*(PSK|XAUTH|EAP|RSA|NTLM)\s+\S`)},
		{
			Secret, "a password of a connection",
			[]string{
				"xl2tpd/l2tp-secrets", "openfortivpn/config", "vpnc/*.conf", "/etc/rsyncd.secrets", "keys-wlan*", "keys-eth*",
				"/etc/keepalived/keepalived.conf", "/etc/frr/*.conf",
			},
			pattern.New(`(?m)^\s*[^\s#:]+:\S{3,}$|^\s*\S+\s+\S+\s+\S{4,}\s*$|(?i)^\s*(password|auth_pass|KEY_\w+)\s*[= ]\s*\S{4,}|` +
				`^\s*(IPSec secret|Xauth password)\s+\S{3,}`),
		},
		{Secret, "a password of a connection", []string{"openvpn/*/*", "openvpn/*"}, pattern.New(`^\S{1,64}\r?\n[^\s<#-]\S{5,}\s*$`)},
		{
			Secret, "the key of a tunnel",
			[]string{"cloudflared/*.json", ".cloudflared/*.json"},
			pattern.New(`"TunnelSecret"\s*:\s*"[^"]{16,}`),
		},
		{Secret, "a key of an encrypted disk", []string{
			"/etc/cryptsetup-keys.d/*", "crypto_keyfile.bin", "/etc/luks*.key", "/etc/luks*/*.key", "/etc/keys/*.key",
		}, nil},
		{
			Secret, "a password of a directory",
			[]string{
				"/etc/sssd/sssd.conf", "/etc/sssd/conf.d/*", "/etc/nslcd.conf", "/etc/sudo-ldap.conf", "/etc/ldap.conf",
				"/etc/ldap/ldap.conf",
			},
			pattern.New(`(?im)^\s*(ldap_default_authtok|bindpw|rootpw)\s*[= ]\s*\S{3,}`),
		},
		{Secret, "a password of a directory", []string{"/etc/ldap.secret", "/etc/pam_ldap.secret", "/etc/libnss-ldap.secret"}, oneWord},
		{Secret, "the secrets of a domain's member", []string{
			"/var/lib/samba/private/*.tdb", "/var/lib/sss/secrets/*", "/var/lib/sss/db/c*.ldb",
		}, nil},
		{Secret, "a ticket of Kerberos", []string{"krb5cc_*", "krb5cc/*"}, nil},
		{Secret, "a key of a cluster", []string{"/etc/munge/munge.key", "/etc/corosync/authkey", "/etc/pacemaker/authkey"}, nil},
		{Secret, "a key of a cluster", []string{"ceph/*.keyring"}, pattern.New(`(?m)^\s*key\s*=\s*\S{16,}`)},
		{
			Secret, "a key of an encrypted gossip",
			[]string{"consul.d/*", "nomad.d/*"},
			pattern.New(`(?m)\bencrypt"?\s*[=:]\s*"[A-Za-z0-9+/]{20,}`),
		},
		{
			Secret, "the key by which a name server is ruled",
			[]string{"/etc/bind/rndc.key", "/etc/rndc.key"},
			pattern.New(`secret\s+"[^"]{8,}`),
		},
		{Secret, "a key of a system that keeps hosts", []string{"chef/encrypted_data_bag_secret"}, nil},
		{Secret, "secrets of containers", []string{"containers/storage/secrets/filedriver/secretsdata.json"}, pattern.New(`":\s*"[^"]+"`)},
	}
}

// agentPlaces are those of agents that a host of a company has: of its cloud, its monitors, other build services.
func agentPlaces() []place {
	return []place{
		{
			Runner, "the registration of a runner of Gitea or Forgejo",
			[]string{".runner"},
			pattern.New(`(?s)"uuid".*"token"|"token".*"uuid"`),
		},
		{Runner, "the registration of an agent of Azure Pipelines", []string{".agent", ".agent_migrated"}, runnerFile},
		{
			Runner, "the registration of a build service's agent",
			[]string{"conf/buildAgent.properties"},
			pattern.New(`(?m)^authorizationToken=\S{8,}`),
		},
		{Secret, "the keys of Jenkins", []string{"jenkins/secrets/*", ".jenkins/secrets/*"}, nil},
		{
			Secret, "a credential of the cloud's agent",
			[]string{"/var/lib/amazon/ssm/Vault/Store/*", "/var/lib/ecs/data/*"},
			nil,
		},
		{
			Secret, "a credential of the cloud's agent",
			[]string{"/var/lib/waagent/*.xml"},
			pattern.New(`UserPassword>(?:[^<R]|R[^<E]|RE[^<D])[^<]*<|protectedSettings"?\s*:\s*"[^"]+"`),
		},
		{
			Secret, "credentials of the region's controller",
			[]string{"/etc/cloud/cloud.cfg.d/*"},
			pattern.New(`(?m)^\s*(token_secret|token_key):\s*\S+`),
		},
		{Secret, "keys of a monitor's agent", []string{"ossec/etc/client.keys", "zabbix/*.psk", "splunk*/etc/auth/splunk.secret"}, nil},
		{
			Secret, "a login at the store of snaps",
			[]string{".snap/auth.json", "snapd/state.json"},
			pattern.New(`"(store-)?macaroon"\s*:\s*"[^"]+"`),
		},
		{
			Secret, "a secret of Terraform or Packer",
			[]string{
				"terraform.tfstate", "*.tfstate", "*.tfstate.backup", "*.tfvars", "*.tfvars.json", "*.pkrvars.hcl",
				"*.auto.pkrvars.json",
			},
			pattern.New(`(?i)"?\w*(password|secret|token|private_key|access_key)"?\s*[:=]\s*"[^"\s$]{8,}"`),
		},
	}
}

// personalPlaces are those of programs that a person logs in with.
func personalPlaces() []place {
	loggedIn := pattern.New(
		`(?i)["']?[\w.-]*(token|password|secret|secret_?key|api[-_]?key|access_key_secret|pass_phrase|CacheData|\bkey)["']?` +
			`\s*[:=]\s*["']?[^\s"'<${,]{8,}`)
	return []place{
		{Secret, "credentials of AWS", []string{".aws/login/cache/*", ".aws/boto/cache/*"}, nil},
		{Secret, "credentials of Azure", []string{".IdentityService/msal*", ".Azure/TokenCache.dat", ".azcopy/*.bin"}, nil},
		{Secret, "credentials of a cloud", []string{
			".Azure/AzureRmContext.json", ".oci/config", "linode-cli", "scw/config.yaml", ".aliyun/config.json", ".bluemix/config.json",
			"openstack/clouds.yaml", "openstack/secure.yaml", ".fly/config.yml", ".vultr-cli.yaml", ".wrangler/config/default.toml",
			"com.vercel.cli/auth.json", "netlify/config.json", "ngrok/ngrok.yml", ".ngrok2/ngrok.yml", "exoscale/exoscale.toml",
			".kaggle/kaggle.json", "ibmcloud/config.json",
		}, loggedIn},
		{Secret, "credentials of a forge", []string{"glab-cli/config.yml", "tea/config.yml", ".hgrc", ".arcrc"}, loggedIn},
		{
			Secret, "credentials of a forge",
			[]string{".subversion/auth/svn.simple/*"},
			pattern.New(`(?s)password\s+V \d+\s+\S{3,}`),
		},
		{Secret, "credentials of a forge", []string{".p4tickets", ".gitcookies", ".cvspass"}, pattern.New(`(?m)^[^#\n]*\S{8,}`)},
		{Secret, "credentials of a package index", []string{
			".yarnrc", ".bunfig.toml", "bunfig.toml", ".conan2/credentials.json", "dart/pub-credentials.json", "dart/pub-tokens.json",
			"helm/repositories.yaml", ".jfrog/jfrog-cli.conf*", "coursier/credentials.properties", ".bazelrc",
		}, pattern.New(`(?i)[\w.-]*(_authToken|token|password|api-?key|secret)["']?[\s:=]+["']?[^\s"'<${,]{6,}`)},
		{
			Secret, "credentials of a package index",
			[]string{"maven/settings.xml", "conf/settings.xml", ".m2/settings.xml"},
			pattern.New(`<(password|passphrase)>[^<$]{3,}<`),
		},
		{Secret, "credentials of a package index", []string{".condarc", ".mambarc"}, pattern.New(`/t/[a-z]{2}-[0-9a-f-]{20,}/`)},
		{Secret, "credentials of a container registry", []string{"helm/registry/config.json", "kubelet/config.json"}, dockerAuth},
		{Secret, "credentials of Kubernetes", []string{".kube/*", "*kubeconfig*", "*.kubeconf", "credentials/*.config"}, kubeField},
		{Secret, "a password for other hosts", []string{"netrc"}, netrcField},
		{
			Secret, "a login that a program of AI keeps",
			[]string{".codex/auth.json", ".claude/.credentials.json", "github-copilot/*.json"},
			oauthField,
		},
		{
			Secret, "a password for mail",
			[]string{".fetchmailrc", "/etc/fetchmailrc", ".muttrc", ".mbsyncrc"},
			pattern.New(`(?im)^[^#\n]*\bpass(word)?\s*=?\s*["']?[^\s"']{3,}`),
		},
		{
			Secret, "passwords of a database",
			[]string{"/etc/mysql/debian.cnf", ".pg_service.conf", "pg_service.conf"},
			pattern.New(`(?m)^\s*password\s*=\s*\S{3,}`),
		},
		{
			Secret, "passwords of a database",
			[]string{"redis/*.conf", "valkey/*.conf"},
			pattern.New(`(?m)^\s*(requirepass|masterauth)\s+\S{3,}`),
		},
		{Secret, "a second factor", []string{".google_authenticator"}, nil},
		{Secret, "a key to somebody's screen", []string{".Xauthority", ".vnc/passwd", "/etc/x11vnc.pass"}, nil},
		{Secret, "what a browser was logged in with", []string{
			"firefox/*/logins.json", "firefox/*/cookies.sqlite", "google-chrome/*/Login Data", "google-chrome/*/Cookies",
			"chromium/*/Login Data", "chromium/*/Cookies",
		}, nil},
	}
}

// machinePlaces are what tells this machine from others, beside what all systems have.
func machinePlaces() []place {
	const card = "a setting that is bound to the network card of this machine"
	return []place{
		{Identity, "a key by which this machine is known to those who come by ssh", []string{
			"/etc/dropbear/dropbear_*_host_key", "/etc/dropbear/initramfs/dropbear_*_host_key",
			"/etc/dropbear-initramfs/dropbear_*_host_key",
		}, nil},
		{Identity, "the identity of this machine's Docker", []string{"/etc/docker/key.json", "/var/lib/docker/engine-id"}, nil},
		{Identity, "the identity of this machine", []string{
			"/etc/insights-client/machine-id", "/etc/salt/minion_id", "/opt/CrowdStrike/falconstore", "/var/lib/glusterd/glusterd.info",
		}, nonComment},
		{
			Identity, "the identity of this machine",
			[]string{"/etc/default/instance_configs.cfg"},
			pattern.New(`(?m)^\s*instance_id\s*=\s*\S`),
		},
		{Identity, "the key of this device of snapd", []string{"snapd/device/private-keys-v1/*"}, nil},
		{
			Identity, "the session of this device of snapd",
			[]string{"/var/lib/snapd/state.json"},
			pattern.New(`"session-macaroon"\s*:\s*"[^"]+"`),
		},
		{Identity, "what is bound to the chip of this machine (TPM)", []string{
			"/var/lib/tpm2-tss/system/keystore/*/*/*/*", "/var/lib/tpm/system.data", "/var/lib/systemd/pcrlock.json",
			"/var/lib/tpm2-pkcs11/*", "/etc/tpm2_pkcs11/*",
		}, nil},
		{
			Identity, "the disks of this machine, by which a copy may not find its own",
			[]string{"/etc/lvm/devices/system.devices"},
			nonComment,
		},
		{
			Identity, card,
			[]string{
				"/etc/netplan/*.yaml", "/etc/udev/rules.d/*.rules", "network-scripts/ifcfg-*", "system-connections/*",
				"/etc/systemd/network/*",
			},
			pattern.New(`(?im)^[^#\n]*(macaddress\s*:|HWADDR\s*=|ATTR\{address\}==` +
				`|mac-address\s*=|MACAddress\s*=)\s*["']?[0-9a-f]{2}:[0-9a-f]{2}:`),
		},
		{Identity, "an address that this machine was given", []string{
			"/var/lib/dhcpcd/*.lease*", "/var/lib/dhcpcd/duid", "/var/lib/dhcpcd/secret", "/etc/dhcpcd.duid", "/var/lib/wicked/*.xml",
		}, nil},
		{
			Access, "keys that are let in by ssh",
			[]string{
				"/etc/ssh/authorized_keys", "/etc/ssh/authorized_keys.d/*",
				"/etc/ssh/authorized_keys/*",
			},
			nonComment,
		},
	}
}
