package shell

import (
	"runtime"
	"strings"
)

// Task is something that somebody mends or looks at with a command of the system's.
type Task int

// The tasks, and the words that a command for them takes.
const (
	// Browse opens a page of the network: its address. Fetch asks for one; words of curl's follow.
	Browse Task = iota
	Fetch
	// ShowProcess shows a process, by its number, and ShowProcesses those of containers. EndProcess asks one to end
	// when its job has, and gives an idle one the time for it.
	ShowProcess
	ShowProcesses
	EndProcess
	// ShowAccounts shows what accounts there are, ShowAccount one, and ShowRights what one belongs to.
	ShowAccounts
	ShowAccount
	ShowRights
	// MakeAccount makes an account; MakeAccountIn makes it as a member of the group in the first word. AsAccount starts a program,
	// the second word, that tells its version.
	MakeAccount
	MakeAccountIn
	AsAccount
	// LetList lets an account, the second word, list and pass a folder.
	LetList
	// CloseFile keeps a file from everybody but its owner, or the administrators. ShowFile and ShowFolder say who may do what, and
	// ShowWay says it of all folders on the way.
	CloseFile
	ShowFile
	ShowFolder
	ShowWay
	// GiveFolder gives a folder, the second word, to an account. TakeFolder does so and keeps others from writing there; it has the
	// folder twice.
	GiveFolder
	TakeFolder
	// MoveAway gives what is in the way a new name, and RemoveFolder removes a folder with all in it.
	MoveAway
	RemoveFolder
	// PutProgram copies a program to Programs. PutFile copies a file, the second word, to the third, with the mode of the first.
	PutProgram
	PutFile
	// ShowMounts shows the file systems, ShowReadOnly those that cannot be written, and CheckMounts what is wrong with them. Mount
	// mounts what belongs at a folder, and Remount does it with an option, the first word.
	ShowMounts
	ShowReadOnly
	CheckMounts
	Mount
	Remount
	// ShowSpace is for the room of the file system with a folder, and ShowFiles for the number of its files.
	ShowSpace
	ShowFiles
	// ShowSystem tells what system this is, and ShowRelease of which release.
	ShowSystem
	ShowRelease
	// FinishPackages has the package manager finish what was interrupted.
	FinishPackages
	// ShowClock shows how the clock is kept, and SetClock sets it.
	ShowClock
	SetClock
	// ShowName asks for the addresses of a name. AvoidIPv6 makes connections by IPv4.
	ShowName
	AvoidIPv6
	// SetVariable comes before the value of a variable of the terminal's. Unset comes before a command that is to be without one.
	SetVariable
	Unset
	// Wait lets seconds pass.
	Wait
	// CheckKey looks at a private key. Certificate writes one of the other form to a file.
	CheckKey
	Certificate
	// LastTask is none.
	LastTask
)

// System is how somebody mends and looks at things on one kind of system.
type System struct {
	// Root is whose rights are needed to change a host, as it stands in a sentence; Become is how somebody gets them where no word
	// before a command does it.
	Root, Become string
	// AsRoot comes before a command that needs those rights; empty where the whole terminal has them.
	AsRoot string
	// Then stands between two commands, the second of which runs if the first has succeeded. Where it is empty, the first
	// command is all that is offered.
	Then string
	// Programs is the folder for programs that are to stay, Settings the one for configuration, Elsewhere one that --dir may have,
	// and Metrics a file for --metrics-file.
	Programs, Settings, Elsewhere, Metrics string

	quote    func(string) string
	commands map[Task]string // with {} where a word comes
	// arrange says how a task's words stand in its command; nil: as they are.
	arrange func(s System, task Task, words []string) []string
}

// Here is the system that this program runs on.
func Here() System {
	if runtime.GOOS == "windows" {
		return Windows()
	}
	return Unix()
}

// Words writes a command of words, each as the shell reads it.
func (s System) Words(words ...string) string {
	quoted := make([]string, 0, len(words))
	for _, word := range words {
		quoted = append(quoted, s.Quote(word))
	}
	return strings.Join(quoted, " ")
}

// Quote writes a word as the shell reads it.
func (s System) Quote(word string) string { return s.quote(word) }

// Do writes the command for a task; empty where the system has none.
func (s System) Do(task Task, words ...string) string {
	command := s.commands[task]
	var line strings.Builder
	for _, word := range s.arrange(s, task, words) {
		before, after, found := strings.Cut(command, "{}")
		if !found {
			break
		}
		line.WriteString(before + s.Quote(word))
		command = after
	}
	return line.String() + command
}

// Both writes two commands, the second of which runs if the first has succeeded; see Then.
func (s System) Both(first, second string) string {
	switch {
	case first == "":
		return second
	case s.Then == "" || second == "":
		return first
	default:
		return first + s.Then + second
	}
}

// Mend writes a command that needs root's rights; empty where there is no such command.
func (s System) Mend(command string) string {
	if command == "" {
		return ""
	}
	return s.AsRoot + command
}
