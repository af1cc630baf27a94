package sealcheck

import (
	"bytes"
	"path"
	"slices"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/pattern"
)

// place is where a program keeps something, by the last parts of a path.
type place struct {
	kind Kind
	what string
	// names are patterns as of [path.Match]; one that begins with / is of the whole path below the system's root.
	names []string
	// holds is what such a file has in it if it counts; nil if any content counts.
	holds *pattern.Pattern
}

var (
	runnerFile    = pattern.New(`(?i)"(agentId|gitHubUrl|serverUrl(V2)?|poolId)"`)
	schemeFile    = pattern.New(`(?i)"(scheme|clientId|authorizationUrl)"`)
	passwordField = pattern.New(`(?im)^[ \t]*[^#;\n]*\b(password|passwd|pass|secret|secret_key|access_token|auth_token)` +
		`["']?[ \t]*[ =:][ \t]*["']?[^\s"'#<$]{3,}`)
	netrcField = pattern.New(`(?m)^[^#\n]*\bpassword\s+\S+`)
	dockerAuth = pattern.New(`"(auth|identitytoken|registrytoken|password)"\s*:\s*"[^"]{4,}"`)
	oauthField = pattern.New(`(?i)(oauth_token|access_?token|refresh_?token|client_?secret|private_key)` +
		`["']?\s*[:=]\s*["']?[^\s"']{8,}`)
	kubeField = pattern.New(`(?m)^\s*(-\s*)?(token|client-key-data|password|client-secret|id-token|refresh-token)` +
		`\s*:\s*["']?\S{8,}`)
	wifiField = pattern.New(`(?im)^\s*(psk|sae_password|password|wep[-_]key\d?|private-key-password|` +
		`secrets?|passphrase|leap-password)\s*[=:]\s*["']?[^\s"'$]{4,}`)
	chapLine = pattern.New(`(?m)^\s*[^#\s]\S*\s+\S+\s+\S+`)
	awsField = pattern.New(`(?im)^\s*aws_(secret_access_key|session_token)\s*=\s*\S{16,}`)
	// machineID is read as the package machine reads it: in capitals as well, and with room around it.
	machineID    = pattern.New(`^\s*[0-9A-Fa-f]{32}\s*$`)
	leaseLine    = pattern.New(`(?m)^(lease|lease6|default-duid|ADDRESS=)`)
	nonComment   = pattern.New(`(?m)^[ \t]*[^#\s]`)
	hashedShadow = pattern.New(`(?m)^[^:\n]+:(?:\$[^:]+|[./0-9A-Za-z]{13}):`)
	oneWord      = pattern.New(`^\s*[^\s$#!]{4,}\s*$`)
	openShadow   = pattern.New(`(?m)^[^:\n]+::`)
)

// places are all of them. What an earlier one says of a file, a later one does not say again.
func places() []place {
	return slices.Concat(runnerPlaces(), identityPlaces(), credentialPlaces(), hostPlaces(), servicePlaces(), keyPlaces(),
		networkPlaces(), agentPlaces(), personalPlaces(), machinePlaces())
}

func runnerPlaces() []place {
	return []place{
		{Runner, "the key of a registered runner", []string{".credentials_rsaparams"}, nil},
		{Runner, "the registration of a runner", []string{".runner", ".runner_migrated"}, runnerFile},
		{Runner, "the credential of a registered runner", []string{".credentials", ".credentials_migrated"}, schemeFile},
		{Memory, "what a program had in its memory when it crashed", []string{
			"/var/lib/systemd/coredump/*", "/var/crash/*", "/var/lib/apport/coredump/*",
		}, nil},
	}
}

func identityPlaces() []place {
	return []place{
		{Identity, "the identity of this machine", []string{"/etc/machine-id", "/var/lib/dbus/machine-id"}, machineID},
		{Identity, "a key by which this machine is known to those who come by ssh", []string{"/etc/ssh/ssh_host_*_key"}, nil},
		{
			Identity, "what the random numbers of the next boot begin with",
			[]string{"/var/lib/systemd/random-seed", "/var/lib/urandom/random-seed"},
			nil,
		},
		{Identity, "the key of this machine's sealed credentials", []string{"/var/lib/systemd/credential.secret"}, nil},
		{
			Identity, "a certificate's key that was made for this machine by the package ssl-cert",
			[]string{"/etc/ssl/private/ssl-cert-snakeoil.key"},
			nil,
		},
		{
			Identity, "this machine's name in a storage network",
			[]string{"/etc/iscsi/initiatorname.iscsi", "/etc/nvme/hostid", "/etc/nvme/hostnqn"},
			nonComment,
		},
		{
			Identity, "an address that this machine was given",
			[]string{"/var/lib/dhcp/*.lease*", "/var/lib/NetworkManager/*.lease", "/var/lib/dhclient/*.lease*"},
			leaseLine,
		},
		{Identity, "the key by which this machine's addresses are made", []string{"/var/lib/NetworkManager/secret_key"}, nil},
		{Access, "an account with a password", []string{"/etc/shadow", "/etc/shadow-"}, hashedShadow},
		{Access, "an account that needs no password", []string{"/etc/shadow"}, openShadow},
		{Access, "keys that are let in by ssh", []string{".ssh/authorized_keys", ".ssh/authorized_keys2"}, nonComment},
	}
}

func credentialPlaces() []place {
	return []place{
		{
			Secret, "a password for other hosts",
			[]string{".netrc", "_netrc", "/etc/apt/auth.conf", "/etc/apt/auth.conf.d/*"},
			netrcField,
		},
		{Secret, "credentials of git", []string{".git-credentials", ".config/git/credentials"}, pattern.New(`://[^\s/@]+@`)},
		{
			Secret, "credentials of a container registry",
			[]string{".docker/config.json", ".dockercfg", "containers/auth.json", ".config/containers/auth.json"},
			dockerAuth,
		},
		{Secret, "credentials of AWS", []string{".aws/credentials", ".aws/config"}, awsField},
		{Secret, "credentials of AWS", []string{".aws/sso/cache/*", ".aws/cli/cache/*"}, nil},
		{Secret, "credentials of Azure", []string{
			".azure/accessTokens.json", ".azure/msal_token_cache.*", ".azure/service_principal_entries.*", ".azure/azureProfile.json.lock",
		}, nil},
		{Secret, "credentials of Google Cloud", []string{
			"gcloud/credentials.db", "gcloud/access_tokens.db", "gcloud/application_default_credentials.json",
			"gcloud/legacy_credentials/*/*",
		}, nil},
		{Secret, "credentials of gh", []string{"gh/hosts.yml", ".config/hub"}, oauthField},
		{
			Secret, "credentials of a package index",
			[]string{
				".pypirc", ".gem/credentials", ".m2/settings.xml", ".cargo/credentials", ".cargo/credentials.toml",
				"composer/auth.json", ".composer/auth.json", "NuGet.Config", "nuget.config", "pip.conf",
				".yarnrc.yml", "pypoetry/auth.toml",
				"uv/credentials/credentials.toml", ".m2/settings-security.xml", "gradle.properties",
				".sbt/.credentials", ".ivy2/.credentials",
			},
			pattern.New(
				`(?im)(password|token|api_key|apikey|_authtoken|<master)["']?\s*[:=>]\s*["']?[^\s"'<$]{4,}|` +
					`ClearTextPassword|://[^\s/:@]+:[^\s/@]+@`,
			),
		},
		{Secret, "credentials of Kubernetes", []string{".kube/config", "/etc/kubernetes/*.conf", "/etc/rancher/*/*.yaml"}, kubeField},
		{Secret, "a key for ssh", []string{".ssh/id_*[a-z0-9]"}, pattern.New(`PRIVATE KEY`)},
		{
			Secret, "passwords of a database",
			[]string{".pgpass", ".my.cnf", ".mylogin.cnf"},
			pattern.New(`(?im)^[^#\n:]+:[^:\n]*:[^:\n]*:[^:\n]*:\S+|^\s*password\s*=\s*\S+|^[^\x20-\x7e]`),
		},
		{Secret, "a token of Vault", []string{".vault-token"}, nil},
		{
			Secret, "credentials of Terraform",
			[]string{".terraform.d/credentials.tfrc.json", ".terraformrc"},
			pattern.New(`(?i)token["']?\s*[:=]\s*["'][^"']{8,}`),
		},
		{
			Secret, "credentials of a storage service",
			[]string{"rclone/rclone.conf", ".s3cfg", ".boto", ".mc/config.json", ".passwd-s3fs", "/etc/passwd-s3fs"},
			pattern.New(
				`(?im)^\s*"?(pass|token|secret_?(access_)?key|secretkey|gs_oauth2_refresh_token)"?\s*[=:]\s*\S{4,}|^[^\s:#]+:[^\s:]{8,}`,
			),
		},
	}
}

// hostPlaces are those of the programs that a host is kept by.
func hostPlaces() []place {
	return []place{
		{Secret, "a password of Ansible's vault", []string{".vault_pass*", "vault_pass*", ".vault-pass*", "vault-pass*"}, oneWord},
		{Secret, "a credential of systemd", []string{"credstore/*", "credstore.encrypted/*"}, nil},
		{
			Secret, "a password for mail",
			[]string{
				"/etc/postfix/sasl_passwd", "/etc/exim4/passwd.client", "/etc/ssmtp/ssmtp.conf", "/etc/msmtprc", ".msmtprc", ".mailrc",
			},
			pattern.New(
				`(?im)^\s*(auth)?pass(word)?\s*[= \t]\s*\S{3,}|^[^#\s]\S*\s+\S+:\S{3,}|^[^#\s:]+:[^:\s]+:\S{3,}`,
			),
		},
		{
			Secret, "a password for a disk of others",
			[]string{"/etc/fstab", "/etc/auto.*"},
			pattern.New(`(?m)^[^#\n]*\bpass(word|wd)?=[^\s,]{3,}`),
		},
		{
			Secret, "a password for a disk of others",
			[]string{"/etc/iscsi/iscsid.conf", "/etc/iscsi/nodes/*/*/*", "/var/lib/iscsi/nodes/*/*/*"},
			pattern.New(`(?m)^\s*[^\s#]\S*\.password(_in)?\s*=\s*\S{3,}`),
		},
		{
			Secret, "a password of an installation",
			[]string{
				"anaconda-ks.cfg", "original-ks.cfg", "*preseed*.cfg", "autoinst*.xml", "/var/log/installer/*",
				"/etc/cloud/cloud.cfg.d/*",
			},
			pattern.New(
				`(?im)^\s*rootpw\s+(--plaintext\s+)?[^-#\s]|` +
					`^\s*d-i\s+\S*password(-again|-crypted)?\s+password\s+\S+|<user_password>[^<]+<|` +
					`^\s*(plain_text_passwd|hashed_passwd|passwd)\s*:\s*['"]?\S{3,}|` +
					`^\s*chpasswd\s*:[ \t]*\n(\s+.*\n)*?\s+-?\s*\w+:\S{3,}`,
			),
		},
		{
			Secret, "answers that were given to debconf",
			[]string{"/var/cache/debconf/passwords.dat", "/var/log/installer/cdebconf/passwords.dat"},
			pattern.New(`(?m)^Value:[ \t]*\S`),
		},
	}
}

// servicePlaces are those of what a host takes part in.
func servicePlaces() []place {
	return []place{
		{
			Secret, "the key of a private network",
			[]string{"/var/lib/tailscale/tailscaled.state", "/var/lib/zerotier-one/identity.secret"},
			nil,
		},
		{
			Secret, "a token of a cluster",
			[]string{
				"/var/lib/rancher/*/server/token", "/var/lib/rancher/*/server/node-token",
				"/var/lib/rancher/*/agent/*.kubeconfig",
			},
			nil,
		},
		{
			Secret, "a credential of a build service",
			[]string{
				"gitlab-runner/config.toml", "buildkite-agent/buildkite-agent.cfg", ".circleci/cli.yml", "hcloud/cli.toml",
				".databrickscfg", ".sentryclirc", ".snowflake/connections.toml", ".snowflake/config.toml", "doctl/config.yaml",
				".bundle/config", ".hex/hex.config",
			},
			pattern.New(
				`(?im)^\s*-*\s*"?(token|access-token|auth-token|password|BUNDLE_\w+__\w+|auth_key|api_key)"?` +
					`\s*[:=]\s*["']?[^\s"'<$]{8,}`,
			),
		},
	}
}

func keyPlaces() []place {
	return []place{
		{Secret, "private keys of GnuPG", []string{".gnupg/private-keys-v1.d/*", ".gnupg/secring.gpg"}, nil},
		{Secret, "a store of keys", []string{"*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx", "keyrings/*.keyring", "*.ppk"}, nil},
		{Secret, "a key table of Kerberos", []string{"*.keytab"}, nil},
		{
			Secret, "a password of a network",
			[]string{"NetworkManager/system-connections/*", "wpa_supplicant*.conf", "/etc/netplan/*", "iwd/*.psk", "iwd/*.8021x"},
			wifiField,
		},
		{Secret, "a password of a connection", []string{"ppp/chap-secrets", "ppp/pap-secrets"}, chapLine},
		{
			Secret, "a key of a connection",
			[]string{"/etc/ipsec.secrets", "/etc/swanctl/private/*"},
			pattern.New(`(?m)^[^#\n]*\b(PSK|XAUTH|EAP)\b`),
		},
		{
			Secret, "a password for a shared folder",
			[]string{".smbcredentials", "*.smbcredentials", "cifs-credentials", "smb.credentials", ".cifs*"},
			passwordField,
		},
		{
			Secret, "a password of a package manager",
			[]string{"yum.repos.d/*.repo", "zypp/credentials.d/*", "zypp/credentials.cat", "dnf/dnf.conf", "yum.conf"},
			pattern.New(`(?im)^\s*(proxy_)?password\s*=\s*\S{3,}`),
		},
		{
			Secret, "a credential of the subscription",
			[]string{
				"/etc/pki/consumer/key.pem", "/etc/pki/entitlement/*-key.pem",
				"/etc/sysconfig/rhn/systemid", "/var/lib/ubuntu-advantage/private/*",
			},
			nil,
		},
	}
}

// byName is what the name of a file and its beginning say together. What has a name is not told once more by its shape
// where it is expected to have that.
func (f *file) byName(text []byte) {
	f.units(text)
	f.traces(text)
	f.environment(text)
	for _, p := range f.places {
		if !p.matches(f.name) || p.holds != nil && !p.holds.Match(text) {
			continue
		}
		f.tell(p.kind, 0, p.what)
		if p.kind != Access {
			f.settled = true
		}
	}
	if !f.settled && tokenName.MatchString(path.Base(f.name)) && looksLikeToken(text) {
		f.tell(Secret, 1, namedText)
	}
	if !f.secret() {
		f.settings(text)
	}
}

const namedText = "a text that its name says to be a secret"

// matches compares the last parts of a path, as many as the pattern has.
func (p *place) matches(name string) bool {
	for _, pattern := range p.names {
		of := name
		if whole, found := strings.CutPrefix(pattern, "/"); found {
			pattern = whole
			if strings.Count(of, "/") != strings.Count(pattern, "/") {
				continue
			}
		}
		of = lastParts(of, 1+strings.Count(pattern, "/"))
		if matched, err := path.Match(pattern, of); err == nil && matched {
			return true
		}
	}
	return false
}

func lastParts(name string, n int) string {
	at := len(name)
	for range n {
		at = strings.LastIndexByte(name[:at], '/')
		if at < 0 {
			return name
		}
	}
	return name[at+1:]
}

var tokenName = pattern.New(`(?i)(token|secret|passw|credential|api[-_]?key|jitconfig|\bpat\b|_pat\b|\.pat$|access[-_]key|` +
	`private[-_]?key|\.key$|\.psk$)`)

// looksLikeToken tells whether a file is one word that no person would think of.
func looksLikeToken(text []byte) bool {
	const shortest, longest = 16, 4 << 10
	word := bytes.TrimSpace(text)
	if len(word) < shortest || len(word) > longest || bytes.ContainsAny(word, " \t\r\n/:<>{}()$") && !base64Word.Match(word) {
		return false
	}
	digit, letter := false, false
	for _, c := range word {
		digit = digit || '0' <= c && c <= '9'
		letter = letter || 'a' <= c|0x20 && c|0x20 <= 'z'
		if c < ' ' || c > '~' {
			return false
		}
	}
	return digit && letter && varied(0)([][]byte{word})
}

var base64Word = pattern.New(`^[A-Za-z0-9+/]{24,}={0,2}$`)
