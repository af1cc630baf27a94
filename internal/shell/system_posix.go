package shell

import (
	"path"
	"strings"
)

// Unix is how it is done in a POSIX shell.
func Unix() System {
	return System{
		Root: "root", AsRoot: "sudo ", Then: " && ", quote: quotePOSIX, arrange: arrangePOSIX,
		Programs: "/usr/local/bin", Settings: "/etc/runner-bootstrap", Elsewhere: "/opt/runner-bootstrap",
		Metrics: "/var/lib/node_exporter/runner.prom",
		commands: map[Task]string{
			Browse: "xdg-open {}", Fetch: "curl",
			ShowProcess: "ps -fp {}", ShowProcesses: "lsns --type pid",
			EndProcess:   "kill -TERM {} && sleep 5",
			ShowAccounts: "getent passwd", ShowAccount: "getent passwd {}", ShowRights: "id {}",
			MakeAccount:   "sudo useradd --system --create-home {}",
			MakeAccountIn: "sudo useradd --system --create-home --gid {} {}",
			AsAccount:     "sudo -u {} {} --version",
			LetList:       "chmod a+rx {}", CloseFile: "chmod 600 {}",
			ShowFile: "ls -l {}", ShowFolder: "ls -ld {}", ShowWay: "namei -l {}",
			GiveFolder: "chown {} {}", TakeFolder: "chown {} {} && sudo chmod 755 {}",
			MoveAway: "mv {} {}", RemoveFolder: "rm -r {}",
			PutProgram: "sudo install -m 755 {} {}", PutFile: "sudo install -D -m {} {} {}",
			ShowMounts: "findmnt", ShowReadOnly: "findmnt --options ro", CheckMounts: "findmnt --verify",
			Mount: "mount {}", Remount: "mount -o remount,{} {}",
			ShowSpace: "df -h {}", ShowFiles: "df -i {}",
			ShowSystem: "uname -sm", ShowRelease: "cat /etc/os-release", FinishPackages: "sudo dpkg --configure -a",
			ShowClock: "timedatectl status", SetClock: "sudo timedatectl set-ntp true",
			ShowName: "getent ahosts {}; cat /etc/resolv.conf", AvoidIPv6: "sudo sysctl -w net.ipv6.conf.all.disable_ipv6=1",
			SetVariable: "export {}=", Unset: "env -u {}", Wait: "sleep {}",
			CheckKey: "openssl rsa -check -noout -in FILE", Certificate: "openssl x509 -inform der -in {} -out {}",
		},
	}
}

func arrangePOSIX(s System, task Task, words []string) []string {
	if task == PutProgram {
		return []string{words[0], s.Programs + "/" + path.Base(words[0])}
	}
	return words
}

// quotePOSIX writes a word as sh reads it.
func quotePOSIX(word string) string {
	if word != "" && !strings.ContainsAny(word, " \t\n'\"\\$`!*?[]{}()<>|&;#~") {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
