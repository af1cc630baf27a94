package shell

import (
	"cmp"
	"os"
	"path"
	"strings"
)

// Windows is how it is done in cmd.exe and in PowerShell alike: Windows PowerShell knows no && and takes a first word in quotes for a
// text, and cmd.exe knows no ; and no word in single quotes. What needs an administrator is typed into a terminal that was started
// as one.
func Windows() System {
	data := cmp.Or(os.Getenv("ProgramData"), `C:\ProgramData`)        //nolint:forbidigo // these two are no settings of ours
	programs := cmp.Or(os.Getenv("ProgramFiles"), `C:\Program Files`) //nolint:forbidigo // likewise
	return System{
		Root: "an administrator", Become: `start the terminal by "Run as administrator", and do it there`,
		quote: quoteNT, arrange: arrangeNT,
		Programs: programs + `\runner-bootstrap`, Settings: data + `\runner-bootstrap`, Elsewhere: `C:\runner-bootstrap`,
		Metrics: programs + `\windows_exporter\textfile_inputs\runner.prom`,
		commands: map[Task]string{
			Browse: "explorer {}", Fetch: "curl.exe", // in PowerShell, curl is something else
			ShowProcess:  `tasklist /v /fi "PID eq {}"`,
			ShowAccounts: "net user", ShowAccount: "net user {}",
			LetList:    "icacls {} /grant {}",
			CloseFile:  `icacls {} /inheritance:r /grant:r "*S-1-5-18:F" "*S-1-5-32-544:F"`, // the system and administrators
			GiveFolder: "icacls {} /grant {} /t", ShowFile: "icacls {}", ShowFolder: "icacls {}", ShowWay: "icacls {}",
			MoveAway: "move {} {}", RemoveFolder: "cmd /c rmdir /s /q {}",
			PutProgram: "robocopy {} {} {}", // it makes the folder
			ShowMounts: "mountvol", ShowSpace: "fsutil volume diskfree {}",
			ShowSystem: "systeminfo", ShowRelease: "systeminfo",
			ShowClock: "w32tm /query /status", SetClock: "w32tm /resync",
			ShowName:    "nslookup {}",
			AvoidIPv6:   `reg add HKLM\SYSTEM\CurrentControlSet\Services\Tcpip6\Parameters /v DisabledComponents /t REG_DWORD /d 32`,
			Certificate: "certutil -encode {} {}",
		},
	}
}

func arrangeNT(s System, task Task, words []string) []string {
	switch task {
	case PutProgram:
		folder, file := splitNT(words[0])
		return []string{folder, s.Programs, file}
	case LetList:
		return []string{words[0], words[1] + ":(RX)"}
	case GiveFolder: // and all in it
		return []string{words[1], strings.TrimSuffix(words[0], ":") + ":(OI)(CI)M"}
	case ShowSpace: // a drive
		return []string{words[0][:min(2, len(words[0]))]}
	case ShowAccount:
		return []string{words[0][strings.LastIndex(words[0], `\`)+1:]}
	default:
		return words
	}
}

// quoteNT writes a word as cmd.exe and PowerShell read it. A name of a variable between two % is still one to cmd.exe, as is one
// behind a $ to PowerShell: neither has a mark that the other one knows.
func quoteNT(word string) string {
	plain := word != "" && !strings.ContainsAny(word, " \t\n'\"`^&|<>()[]{},;%!*?#@") && !option(word)
	if plain {
		return word
	}
	var quoted strings.Builder
	back := 0 // backslashes that come before a quote are doubled
	for _, r := range word {
		switch r {
		case '\\':
			back++
		case '"':
			quoted.WriteString(strings.Repeat(`\`, back+1))
			back = 0
		default:
			back = 0
		}
		quoted.WriteRune(r)
	}
	return `"` + quoted.String() + strings.Repeat(`\`, back) + `"`
}

// option tells whether a word is an option with its value behind a point or a colon, which PowerShell would take apart.
func option(word string) bool { return strings.HasPrefix(word, "-") && strings.ContainsAny(word, ".:") }

// splitNT gives the folder and the name of a path of Windows, whatever system this is.
func splitNT(name string) (folder, file string) {
	folder, file = path.Split(strings.ReplaceAll(name, `\`, "/"))
	return strings.ReplaceAll(strings.TrimRight(folder, "/"), "/", `\`), file
}
