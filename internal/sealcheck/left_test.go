package sealcheck_test

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/sealcheck"
)

// What somebody was given, as hexadecimal, in base64 and as a UUID.
const (
	hex40 = "3f2a9c1e7b604d5e8f9a0b1c2d3e4f5061728394"
	hex32 = "3f2a9c1e7b604d5e8f9a0b1c2d3e4f50"
	b44   = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="
	uuid  = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
)

// leftInEtc is what programs of a host, and those who keep it, leave below /etc.
func leftInEtc() []planted {
	return []planted{
		{"etc/openstack/clouds.yaml", "clouds:\n  a:\n    auth:\n      password: hunter22\n", "secret credentials of a cloud"},
		{"etc/maven/settings.xml", "<server><username>ci</username><password>hunter22</password></server>", "secret credentials of a package index"},
		{"etc/openvpn/client/x.conf", "remote a\n<tls-auth>\n-----BEGIN OpenVPN Static key V1-----\n" + hex32 + "\n" + hex32 + "\n-----END OpenVPN Static key V1-----\n", "secret a key of OpenVPN:3"},
		{"etc/openvpn/ta.key", "#\n-----BEGIN OpenVPN Static key V1-----\n" + hex32 + "\n" + hex32 + "\n-----END OpenVPN Static key V1-----\n", "secret a key of OpenVPN:2"},
		{"etc/openvpn/auth.txt", "octo\nhunter22hunter\n", "secret a password of a connection"},
		{"etc/openvpn/client/login.conf", "octo\nhunter22hunter\n", "secret a password of a connection"},
		{"etc/wireguard/private.key", b44 + "\n", "secret a text that its name says to be a secret:1"},
		{"etc/wireguard/privatekey", b44 + "\n", "secret a text that its name says to be a secret:1"},
		{"etc/systemd/network/wg.key", b44 + "\n", "secret a text that its name says to be a secret:1"},
		{"etc/netbird/config.json", `{"PrivateKey":"` + b44 + `","PreSharedKey":""}`, "secret a key of WireGuard:1"},
		{"etc/ipsec.d/x.secrets", ": PSK \"hunter22\"\n", "secret a key of a connection"},
		{"etc/strongswan/ipsec.secrets", ": PSK \"hunter22\"\n", "secret a key of a connection"},
		{"etc/swanctl/conf.d/x.conf", "secrets {\n ike-1 {\n  secret = \"hunter22\"\n }\n}\n", "secret a setting whose name says that it is a secret:3"},
		{"etc/xl2tpd/l2tp-secrets", "* * hunter22\n", "secret a password of a connection"},
		{"etc/openfortivpn/config", "host = x\npassword = hunter22\n", "secret a password of a connection"},
		{"etc/vpnc/default.conf", "IPSec gateway x\nIPSec secret hunter22\nXauth password hunter22\n", "secret a password of a connection"},
		{"etc/cloudflared/" + uuid + ".json", `{"AccountTag":"x","TunnelSecret":"` + b44 + `","TunnelID":"` + uuid + `"}`, "secret the key of a tunnel"},
		{"etc/systemd/system/cloudflared.service", "[Service]\nExecStart=/usr/bin/cloudflared --no-autoupdate tunnel run --token eyJhIjoiYWJjIiwidCI6ImRlZiIsInMiOiJnaGlqa2xtbm9wcXJzdHV2d3h5eiJ9\n", "secret an argument whose name says that it is a secret:2"},
		{"etc/cryptsetup-keys.d/data.key", "\x01\x02\x03\x04\xff\xfe", "secret a key of an encrypted disk"},
		{"etc/luks.key", "\x01\x02\x03\x04\xff\xfe", "secret a key of an encrypted disk"},
		{"etc/keys/root.key", "\x01\x02\x03\x04\xff\xfe", "secret a key of an encrypted disk"},
		{"etc/cloud/cloud.cfg.d/90_dpkg_maas.cfg", "datasource:\n  MAAS:\n    consumer_key: abcDEF123\n    token_key: ghiJKL456\n    token_secret: mnoPQR789stu\n", "secret credentials of the region's controller"},
		{"etc/default/instance_configs.cfg", "[InstanceSetup]\n[Instance]\ninstance_id = 1234567890\n", "identity the identity of this machine"},
		{"etc/netplan/50-cloud-init.yaml", "network:\n  ethernets:\n    eth0:\n      match:\n        macaddress: 02:42:ac:11:00:02\n", "identity a setting that is bound to the network card of this machine"},
		{"etc/udev/rules.d/70-persistent-net.rules", "SUBSYSTEM==\"net\", ATTR{address}==\"02:42:ac:11:00:02\", NAME=\"eth0\"\n", "identity a setting that is bound to the network card of this machine"},
		{"etc/sysconfig/network-scripts/ifcfg-eth0", "DEVICE=eth0\nHWADDR=02:42:ac:11:00:02\n", "identity a setting that is bound to the network card of this machine"},
		{"etc/sysconfig/network-scripts/keys-wlan0", "KEY_PASSPHRASE1='hunter22'\n", "secret a password of a connection"},
		{"etc/dropbear/dropbear_ed25519_host_key", "\x00\x00\x00\x0bssh-ed25519", "identity a key by which this machine is known to those who come by ssh"},
		{"etc/dropbear/initramfs/dropbear_ed25519_host_key", "\x00\x00\x00\x0bssh-ed25519", "identity a key by which this machine is known to those who come by ssh"},
		{"etc/ssh/authorized_keys.d/root", "ssh-ed25519 AAAA x\n", "access keys that are let in by ssh"},
		{"etc/lvm/devices/system.devices", "SYSTEMID=x\nIDTYPE=devname IDNAME=/dev/sda\n", "identity the disks of this machine, by which a copy may not find its own"},
	}
}

// leftInEtcToo is what programs of a host, and those who keep it, leave below /etc.
func leftInEtcToo() []planted {
	return []planted{
		{"etc/docker/key.json", `{"crv":"P-256","d":"abcDEF","kid":"X","kty":"EC"}`, "identity the identity of this machine's Docker"},
		{"etc/containerd/config.toml", "[plugins.\"io.containerd.grpc.v1.cri\".registry.configs.\"x\".auth]\n  password = \"hunter22\"\n", "secret a setting whose name says that it is a secret:2"},
		{"etc/consul.d/consul.hcl", "encrypt = \"" + b44 + "\"\n", "secret a key of an encrypted gossip"},
		{"etc/chef/encrypted_data_bag_secret", "abCD1234efGH5678abCD1234efGH5678abCD1234efGH5678abCD1234efGH5678\nabCD1234efGH5678\n", "secret a key of a system that keeps hosts"},
		{"etc/salt/minion_id", "build-1\n", "identity the identity of this machine"},
		{"etc/datadog-agent/datadog.yaml", "api_key: " + hex32 + "\n", "secret a setting whose name says that it is a secret:1"},
		{"etc/newrelic-infra.yml", "license_key: " + hex40 + "\n", "secret a setting whose name says that it is a secret:1"},
		{"etc/filebeat/filebeat.yml", "output.elasticsearch:\n  password: \"hunter22\"\n", "secret a setting whose name says that it is a secret:2"},
		{"etc/telegraf/telegraf.conf", "[[outputs.influxdb_v2]]\n  token = \"abcdef0123456789==\"\n", "secret a setting whose name says that it is a secret:2"},
		{"etc/grafana-agent.yaml", "basic_auth:\n  username: 1\n  password: glc_eyJvIjoiMTIzIiwibiI6Im5hbWUifQ==\n", "secret a setting whose name says that it is a secret:3"},
		{"etc/zabbix/zabbix_agentd.psk", hex32 + "\n", "secret keys of a monitor's agent"},
		{"etc/teleport.yaml", "teleport:\n  auth_token: " + hex32 + "\n", "secret a setting whose name says that it is a secret:2"},
		{"etc/sssd/sssd.conf", "[domain/x]\nldap_default_authtok = hunter22\n", "secret a password of a directory"},
		{"etc/nslcd.conf", "bindpw hunter22\n", "secret a password of a directory"},
		{"etc/ldap.secret", "hunter22\n", "secret a password of a directory"},
		{"etc/pam_ldap.secret", "hunter22\n", "secret a password of a directory"},
		{"etc/duo/pam_duo.conf", "[duo]\nikey = x\nskey = hunter22hunter22\n", "secret a setting whose name says that it is a secret:3"},
		{"etc/mysql/debian.cnf", "[client]\nuser=debian-sys-maint\npassword = hUnt3r22\n", "secret passwords of a database"},
		{"etc/redis/redis.conf", "requirepass hunter22\n", "secret passwords of a database"},
		{"etc/rsyncd.secrets", "a:hunter22\n", "secret a password of a connection"},
		{"etc/ddclient.conf", "password='hunter22'\n", "secret a setting whose name says that it is a secret:1"},
		{"etc/letsencrypt/accounts/acme/directory/x/private_key.json", `{"n":"abc","e":"AQAB","d":"` + hex40 + hex40 + `","p":"x","kty":"RSA"}`, "secret a private key (JWK):1"},
		{"etc/letsencrypt/cloudflare.ini", "dns_cloudflare_api_token = " + hex40 + "\n", "secret a setting whose name says that it is a secret:1"},
		{"etc/landscape/client.conf", "[client]\nregistration_key = hunter22\n", "secret a setting whose name says that it is a secret:2"},
		{"etc/insights-client/machine-id", uuid, "identity the identity of this machine"},
		{"etc/bind/rndc.key", "key \"rndc-key\" {\n algorithm hmac-sha256;\n secret \"" + b44 + "\";\n};\n", "secret the key by which a name server is ruled"},
		{"etc/munge/munge.key", "\x01\x02\xff", "secret a key of a cluster"},
		{"etc/corosync/authkey", "\x01\x02\xff", "secret a key of a cluster"},
		{"etc/ceph/ceph.client.admin.keyring", "[client.admin]\n\tkey = AQBSdFhcsoEmNBAAnL7XhZ+Q1lBzY6zRLKBJ6g==\n", "secret a key of a cluster"},
		{"etc/keepalived/keepalived.conf", "auth_pass hunter22\n", "secret a password of a connection"},
		{"etc/circleci-runner/circleci-runner-config.yaml", "api:\n  auth_token: " + hex40 + "\n", "secret a setting whose name says that it is a secret:2"},
		{"etc/nix/netrc", "machine cache.corp login a password hunter22\n", "secret a password for other hosts"},
	}
}

// leftInFolders is what programs keep in the folders of a home that are for it.
func leftInFolders() []planted {
	return []planted{
		{"home/x/.kube/prod.yaml", "kind: Config\nusers:\n- name: a\n  user:\n    token: " + hex40 + "\n", "secret credentials of Kubernetes"},
		{"root/.config/linode-cli", "[u]\ntoken = " + hex40 + hex32[:24] + "\n", "secret credentials of a cloud"},
		{"root/.config/scw/config.yaml", "access_key: SCWABCDEFGHIJKLMNOPQ\nsecret_key: " + uuid + "\n", "secret credentials of a cloud"},
		{"root/.config/openstack/clouds.yaml", "clouds:\n  a:\n    auth:\n      password: hunter22\n", "secret credentials of a cloud"},
		{"root/.config/.wrangler/config/default.toml", "oauth_token = \"abcdefgh12345678\"\nrefresh_token = \"abcdefgh\"\n", "secret credentials of a cloud"},
		{"root/.local/share/com.vercel.cli/auth.json", `{"token":"abcdefgh12345678abcdefgh"}`, "secret credentials of a cloud"},
		{"root/.config/netlify/config.json", `{"users":{"a":{"auth":{"token":"nfp_abcdefgh12345678abcdefgh"}}}}`, "secret credentials of a cloud"},
		{"home/x/.snap/auth.json", `{"macaroon":"MDAxMXNvY2F0aW9uIDEyMzQ1","discharges":["x"]}`, "secret a login at the store of snaps"},
		{"root/.config/ngrok/ngrok.yml", "version: 2\nauthtoken: 2abcDEFghijkLMNopqr_7xyz\n", "secret credentials of a cloud"},
		{"home/x/.local/share/containers/storage/secrets/filedriver/secretsdata.json", `{"abc":"aHVudGVyMjI="}`, "secret secrets of containers"},
		{"root/.config/glab-cli/config.yml", "hosts:\n  gitlab.com:\n    token: " + hex40 + "\n", "secret credentials of a forge"},
		{"root/.config/tea/config.yml", "logins:\n- name: x\n  token: " + hex40 + "\n", "secret credentials of a forge"},
		{"home/x/.mozilla/firefox/a.default/logins.json", `{"logins":[{"encryptedPassword":"x"}]}`, "secret what a browser was logged in with"},
		{"root/.config/dart/pub-credentials.json", `{"accessToken":"x","refreshToken":"1//0gabcdef"}`, "secret credentials of a package index"},
		{"root/.config/helm/registry/config.json", `{"auths":{"x":{"auth":"eDpodW50ZXIy"}}}`, "secret credentials of a container registry"},
		{"root/.config/helm/repositories.yaml", "repositories:\n- name: a\n  password: hunter22\n  username: u\n", "secret credentials of a package index"},
		{"root/.config/coursier/credentials.properties", "x.username=a\nx.password=hunter22\n", "secret credentials of a package index"},
	}
}

// leftInHomes is what programs keep in a home itself.
func leftInHomes() []planted {
	return []planted{
		{"root/admin.kubeconfig", "apiVersion: v1\nkind: Config\nusers:\n- name: a\n  user:\n    token: " + hex40 + "\n", "secret credentials of Kubernetes"},
		{"root/kubeconfig", "apiVersion: v1\nkind: Config\nusers:\n- name: a\n  user:\n    client-key-data: " + b44 + "\n", "secret credentials of Kubernetes"},
		{"root/.aws/login/cache/abc.json", `{"accessToken":{"accessKeyId":"x"}}`, "secret credentials of AWS"},
		{"root/.aws/boto/cache/abc.json", `{"Credentials":{}}`, "secret credentials of AWS"},
		{"root/.Azure/AzureRmContext.json", `{"Contexts":{"x":{"TokenCache":{"CacheData":"` + b44 + `"}}}}`, "secret credentials of a cloud"},
		{"root/.IdentityService/msal.cache", `{"AccessToken":{}}`, "secret credentials of Azure"},
		{"root/.oci/config", "[DEFAULT]\nuser=ocid1\npass_phrase=hunter22\n", "secret credentials of a cloud"},
		{"root/.aliyun/config.json", `{"profiles":[{"access_key_id":"LTAI5t","access_key_secret":"` + hex32[:30] + `"}]}`, "secret credentials of a cloud"},
		{"root/.bluemix/config.json", `{"IAMToken":"Bearer x","IAMRefreshToken":"` + hex40 + `"}`, "secret credentials of a cloud"},
		{"root/openrc.sh", "export OS_USERNAME=a\nexport OS_PASSWORD=hunter-hunter2\n", "secret a variable whose name says that it is a secret:2"},
		{"root/.fly/config.yml", "access_token: fo1_abcdefgh12345678\n", "secret credentials of a cloud"},
		{"root/.vultr-cli.yaml", "api-key: ABCDEFGH12345678ABCDEFGH12345678ABCD\n", "secret credentials of a cloud"},
		{"root/.snap/auth.json", `{"id":1,"macaroon":"MDAxMXNvY2F0aW9uIDEyMzQ1"}`, "secret a login at the store of snaps"},
		{"root/.yarnrc", "\"//registry.corp/:_authToken\" \"abcdef0123456789\"\n", "secret credentials of a package index"},
		{"root/.bunfig.toml", "[install.registry]\nurl=\"https://x\"\ntoken = \"abcdef0123456789\"\n", "secret credentials of a package index"},
		{"root/.m2/settings.xml", "<server><privateKey>x</privateKey><passphrase>hunter22</passphrase></server>", "secret credentials of a package index"},
		{"root/.cloudflared/cert.pem", "-----BEGIN ARGO TUNNEL TOKEN-----\n" + b44 + "\n-----END ARGO TUNNEL TOKEN-----\n", "secret the token of a tunnel:1"},
		{"root/.google_authenticator", "ABCDEFGHIJKLMNOP\n\" TOTP_AUTH\n12345678\n", "secret a second factor"},
		{"root/.pg_service.conf", "[x]\npassword=hunter22\n", "secret passwords of a database"},
		{"root/.codex/auth.json", `{"OPENAI_API_KEY":null,"tokens":{"access_token":"abc","refresh_token":"rt_abcdefgh12345678"}}`, "secret a login that a program of AI keeps"},
		{"root/.kaggle/kaggle.json", `{"username":"a","key":"` + hex32 + `"}`, "secret credentials of a cloud"},
		{"root/.Xauthority", "\x01\x00\x00\x04host", "secret a key to somebody's screen"},
		{"root/.vnc/passwd", "\x01\x02\x03\x04\x05\x06\x07\x08", "secret a key to somebody's screen"},
		{"root/.Renviron", "GITHUB_PAT=hunter-hunter2\n", "secret a variable whose name says that it is a secret:1"},
		{"root/.condarc", "channels:\n- https://conda.anaconda.org/t/ab-" + uuid + "/corp\n", "secret credentials of a package index"},
		{"root/.conan2/credentials.json", `{"credentials":[{"remote":"x","user":"a","password":"hunter22"}]}`, "secret credentials of a package index"},
		{"root/.jfrog/jfrog-cli.conf.v6", `{"servers":[{"url":"x","user":"a","password":"hunter22","accessToken":""}]}`, "secret credentials of a package index"},
		{"root/.bazelrc", "build --remote_header=x-buildbuddy-api-key=abcdef0123456789\n", "secret credentials of a package index"},
		{"root/.hgrc", "[auth]\nx.prefix=x\nx.password = hunter22\n", "secret credentials of a forge"},
		{"root/.subversion/auth/svn.simple/" + hex32, "K 8\npasstype\nV 6\nsimple\nK 8\npassword\nV 8\nhunter22\n", "secret credentials of a forge"},
		{"root/.p4tickets", "localhost:1666=a:" + hex32 + "\n", "secret credentials of a forge"},
		{"root/.gitcookies", "x.googlesource.com\tFALSE\t/\tTRUE\t2147483647\to\tgit-a=1//0gabcdef\n", "secret credentials of a forge"},
		{"root/.fetchmailrc", "poll x user a password hunter22\n", "secret a password for mail"},
		{"root/setup.sh", "#!/bin/sh\nDB_PASSWORD=hunter-hunter2 ./x\n", "secret a variable whose name says that it is a secret:2"},
	}
}

// leftElsewhere is what stands elsewhere.
func leftElsewhere() []planted {
	return []planted{
		{"var/lib/kubelet/kubeconfig", "kind: Config\nusers:\n- user:\n    token: " + hex40 + "\n", "secret credentials of Kubernetes"},
		{"var/lib/kubelet/config.json", `{"auths":{"x":{"auth":"eDpodW50ZXIy"}}}`, "secret credentials of a container registry"},
		{"var/lib/snapd/device/private-keys-v1/abc", "wsDNBGAAAAEM", "identity the key of this device of snapd"},
		{"var/lib/snapd/state.json", `{"data":{"auth":{"users":[{"id":1,"store-macaroon":"MDAxMXNvY2F0aW9uIDEyMzQ1","store-discharges":["x"]}]}}}`, "secret a login at the store of snaps"},
		{"var/lib/snapd/state.json", `{"data":{"auth":{"device":{"brand":"generic","session-macaroon":"MDAxMXNvY2F0aW9uIDEyMzQ1"}}}}`, "identity the session of this device of snapd"},
		{"opt/maven/conf/settings.xml", "<server><username>ci</username><password>hunter22</password></server>", "secret credentials of a package index"},
		{"var/lib/netbird/default.json", `{"PrivateKey":"` + b44 + `"}`, "secret a key of WireGuard:1"},
		{"crypto_keyfile.bin", "\x01\x02\x03\x04\xff\xfe", "secret a key of an encrypted disk"},
		{"var/lib/dhcpcd/eth0.lease", "\x02\x01\x06\x00abc", "identity an address that this machine was given"},
		{"var/lib/dhcpcd/duid", "00:01:00:01:2c\n", "identity an address that this machine was given"},
		{"var/lib/dhcpcd/secret", "00:01:00:01:2c\n", "identity an address that this machine was given"},
		{"var/lib/wicked/lease-eth0-dhcp-ipv4.xml", "<lease><family>ipv4</family></lease>", "identity an address that this machine was given"},
		{"var/lib/wicked/duid.xml", "<duid>00:01</duid>", "identity an address that this machine was given"},
		{"var/lib/waagent/ovf-env.xml", "<x><UserName>a</UserName><UserPassword>hunter22H</UserPassword></x>", "secret a credential of the cloud's agent"},
		{"var/lib/amazon/ssm/Vault/Store/RegistrationKey", `{"instanceID":"mi-0","privateKey":"x"}`, "secret a credential of the cloud's agent"},
		{"var/lib/docker/engine-id", uuid, "identity the identity of this machine's Docker"},
		{"var/lib/containers/storage/secrets/filedriver/secretsdata.json", `{"abc":"aHVudGVyMjI="}`, "secret secrets of containers"},
		{"var/snap/microk8s/4094/credentials/client.config", "kind: Config\nusers:\n- user:\n    token: " + hex40 + "\n", "secret credentials of Kubernetes"},
		{"var/snap/microk8s/4094/credentials/known_tokens.csv", hex40 + ",admin,admin\n", "secret a text that its name says to be a secret:1"},
		{"var/ossec/etc/client.keys", "001 web 10.0.0.1 " + hex40 + "\n", "secret keys of a monitor's agent"},
		{"var/lib/samba/private/secrets.tdb", "TDB file\n", "secret the secrets of a domain's member"},
		{"tmp/krb5cc_0", "\x05\x04\x00", "secret a ticket of Kerberos"},
		{"var/lib/sss/db/cache_x.ldb", "TDB file\n", "secret the secrets of a domain's member"},
		{"var/lib/sss/secrets/secrets.ldb", "TDB file\n", "secret the secrets of a domain's member"},
		{"srv/infra/terraform.tfstate", `{"version":4,"resources":[{"instances":[{"attributes":{"password":"hunter22hunter"}}]}]}`, "secret a secret of Terraform or Packer"},
		{"srv/infra/terraform.tfvars", "db_password = \"hunter22hunter\"\n", "secret a secret of Terraform or Packer"},
		{"var/lib/jenkins/secrets/master.key", hex40 + hex40, "secret the keys of Jenkins"},
		{"var/lib/jenkins/secrets/hudson.util.Secret", "\x01\x02\xff", "secret the keys of Jenkins"},
		{"opt/act/.runner", `{"id":1,"uuid":"` + uuid + `","name":"a","token":"` + hex40 + `","address":"https://gitea.corp"}`, "runner the registration of a runner of Gitea or Forgejo"},
		{"opt/teamcity/conf/buildAgent.properties", "serverUrl=http://x\nauthorizationToken=" + hex32 + "\n", "runner the registration of a build service's agent"},
		{"opt/ado/.agent", `{"agentId":"1","agentName":"x","poolId":1,"serverUrl":"https://dev.azure.com/x"}`, "runner the registration of an agent of Azure Pipelines"},
		{"tmp/script_4242.sh", "#!/bin/sh\nexport NPM_TOKEN=hunter-hunter2\n", "secret a variable whose name says that it is a secret:2"},
		{"tmp/varfile_4242.sh", "export NPM_TOKEN='hunter-hunter2'\n", "secret a variable whose name says that it is a secret:1"},
		{"var/log/wtmp", "\x02\x00\x00\x00", "trace who was logged in to this host, and from where"},
		{"var/log/btmp", "\x02\x00\x00\x00", "trace who was logged in to this host, and from where"},
		{"var/lib/tpm2-tss/system/keystore/P_ECC/HS/SRK/object.json", "{}", "identity what is bound to the chip of this machine (TPM)"},
		{"var/lib/systemd/pcrlock.json", "{}", "identity what is bound to the chip of this machine (TPM)"},
	}
}

// ordinary is what stands in such places, and is no secret.
func ordinary() []planted {
	return []planted{
		{"etc/app/app.yaml", "password: ${DB_PASSWORD1}\ntoken: file:/run/x1\nsecret: changemenow\ntoken: https://x1/y2z3\n", ""},
		{"etc/app/app.yaml", "# password: hunter22hunter\n; api_key = hunter22hunter\n// token = hunter22hunter\n", ""},
		{"etc/app/app.conf", "token_file = /run/secret1\nsecret_path=/a1b2c3d4e5\npassword = ENC[AES256_GCM,data:x1]\n", ""},
		{"etc/pam.d/x", "password [success=1 default=ignore] pam_unix.so obscure yescrypt\npassword requisite pam_deny.so\n", ""},
		{"etc/services", "kpasswd\t464/tcp\nsecret-x 1234/udp\n", ""},
		{"home/x/.nvm/versions/node/v22/lib/x.json", `{"password":"hunter22hunter"}`, ""},
		{"home/x/code/.github/test.yml", "password: hunter22hunter\n", ""},
		{"root/.cache/x.json", `{"token":"hunter22hunter"}`, ""},
		{"root/.tool.lua", "token = 'x1'\n", ""},
		{"srv/x/deploy.sh", "TOKEN=$1\nPASSWORD=\"$(cat /run/x)\"\nAPI_KEY=${KEY:-none}\n", ""},
		{"srv/x/public.key", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n", ""},
		{"etc/systemd/system/x.service", "[Service]\nExecStart=/usr/bin/x --token-file /run/t1 --token ${T1} --secret id=x\n", ""},
		{"etc/openvpn/update.conf", "up /etc/openvpn/update\n", ""},
		{"etc/netplan/50.yaml", "network:\n  ethernets:\n    eth0:\n      dhcp4: true\n", ""},
		{"srv/x/.runner", `{"uuid":"x"}`, ""},
		{"srv/x/jwk.json", `{"kty":"RSA","n":"abc","e":"AQAB","keys":{"d":"x"}}`, ""},
		{"root/.snap/auth.json", "{}", ""},
		{"var/lib/waagent/ovf-env.xml", "<UserPassword>REDACTED</UserPassword>", ""},
		{"var/lib/snapd/state.json", `{"data":{"auth":{"users":[]}}}`, ""},
		{"var/log/lastlog", strings.Repeat("\x00", 292), ""},
		{"srv/x/terraform.tfstate", `{"version":4,"resources":[]}`, ""},
	}
}

// What is left in images is told by what it is, and what only looks like it is not.
func TestLookAtWhatIsLeft(t *testing.T) {
	t.Parallel()
	for _, all := range [][]planted{leftInEtc(), leftInEtcToo(), leftInFolders(), leftInHomes(), leftElsewhere(), ordinary()} {
		for _, c := range all {
			t.Run(strings.ReplaceAll(c.file, "/", "_"), func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				write(t, filepath.Join(dir, c.file), c.text)
				var texts []string
				for _, f := range look(t, sealcheck.Host{Folders: []string{dir}, System: dir}).Findings {
					text := string(f.Kind) + " " + f.What
					if f.Line > 0 {
						text += ":" + strconv.Itoa(f.Line)
					}
					texts = append(texts, text)
				}
				if got := strings.Join(texts, "|"); got != c.want {
					t.Errorf("found %q, want %q", got, c.want)
				}
			})
		}
	}
}
