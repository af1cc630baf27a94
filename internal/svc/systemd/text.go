package systemd

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

// render returns the unit of u, whose values are already known to fit. Why each line stands there:
//
//   - Wants and After network-online.target: the program talks to GitHub at once; After alone orders against
//     nothing when nobody else wants that target. After nss-user-lookup.target: whatever brings the accounts of a
//     directory up (SSSD, nslcd) pulls it in.
//   - RequiresMountsFor: a file system that comes late (nofail, a network's) is waited for, and this unit stops before it goes.
//     Without it the program would find an empty folder.
//   - StartLimit: ten starts in ten minutes, and the unit stays failed. At one start in ten seconds the
//     default (five in ten seconds) would never be reached, and a broken host would be asked for ever.
//   - Type=exec: start fails when the program cannot be executed, instead of succeeding just before. Older
//     than systemd 240: it is ignored with a warning, and simple is used.
//   - Type=notify, when asked for: start waits until the program says that it is ready, or TimeoutStartSec is over.
//     NotifyAccess=main: jobs inherit the address of the socket, and must not speak for the program.
//   - WatchdogSec with WatchdogSignal=SIGKILL: a program that hangs is started again. The default signal, SIGABRT,
//     ends a program written in Go with exit code 2, which RestartPreventExitStatus may name.
//   - ExecStopPost, also after a crash: what the program keeps in a unit of its own, listener and jobs, is no part of this one. It is
//     not waited for, since the two are stopped one after the other. A path is not given, as hosts differ in it. The name is a
//     pattern: of a unit that is not there, which is how most stops find it, systemctl complains only when it is named in full.
//   - RuntimeDirectory: a folder in /run that can be written from inside the sandbox, as /run itself cannot. It is preserved
//     because several services share it, and systemd would remove it with the first of them that stops.
//   - Restart=on-failure with RestartSec=10s: a crash is mended, an end that was meant (exit code 0) stays one.
//     RestartPreventExitStatus names the failures that would only repeat.
//   - KillMode=mixed: only the program is asked to end, since it knows how to end its children in order;
//     what is left after it, or after TimeoutStopSec, is killed. The default would end a job in the middle,
//     and process, which leaves children behind, lets an orphan hold the runner's session.
//   - OOMPolicy=continue: the memory that runs out is a job's; ending the unit for it would take away the
//     report of that job and every following one. Older than systemd 243: ignored with a warning.
//   - TasksMax=infinity: the default, 15% of what the kernel can do, is for daemons; jobs are whole builds. Where these run in units
//     of their own, each of which has its bound, this one has what the program and a command or two of its need, many times.
//
// And why some do not: no User, since the program drops to the unprivileged account for its children itself
// and keeps its secret from them. No UMask: jobs inherit it, and expect the usual 0022. No Delegate: nothing
// here makes control groups. The lines of the sandbox have their reasons over [renderSandbox]; without them, what a
// job that runs in this unit may do is decided by the account that it runs under.
func render(u svc.Unit) string {
	var b strings.Builder
	line := func(key, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%s=%s\n", key, value)
		}
	}
	b.WriteString("[Unit]\n")
	line("Description", escapeSpecifiers(u.Description))
	line("Documentation", escapeSpecifiers(u.Documentation))
	line("Wants", "network-online.target")
	line("After", "network-online.target nss-user-lookup.target")
	line("RequiresMountsFor", quoted(u.Mounts))
	line("StartLimitIntervalSec", "10min")
	line("StartLimitBurst", "10")

	b.WriteString("\n[Service]\n")
	if u.Notify {
		line("Type", "notify")
		line("NotifyAccess", "main")
	} else {
		line("Type", "exec")
	}
	line("ExecStart", execLine(u.Executable, u.Args))
	if len(u.Keeps) > 0 {
		line("ExecStopPost", "-systemctl --no-block stop "+patternsOf(u.Keeps))
	}
	line("WorkingDirectory", escapeSpecifiers(u.Directory))
	if u.RuntimeFolder != "" {
		line("RuntimeDirectory", u.RuntimeFolder)
		line("RuntimeDirectoryMode", "0700")
		line("RuntimeDirectoryPreserve", "yes")
	}
	line("Restart", "on-failure")
	line("RestartSec", "10s")
	line("RestartPreventExitStatus", exitCodes(u.NoRestartStatus))
	line("TimeoutStartSec", seconds(u.StartTimeout))
	if u.Watchdog > 0 {
		line("WatchdogSec", seconds(u.Watchdog))
		line("WatchdogSignal", "SIGKILL")
	}
	line("KillMode", "mixed")
	line("KillSignal", "SIGTERM")
	line("TimeoutStopSec", seconds(u.StopTimeout))
	line("OOMPolicy", "continue")
	if u.Sandbox.Apart {
		line("TasksMax", "512")
	} else {
		line("TasksMax", "infinity")
	}
	renderSandbox(u.Sandbox, line)

	b.WriteString("\n[Install]\n")
	line("WantedBy", "multi-user.target")
	return b.String()
}

// execLine quotes a command as systemd.service(5) and systemd.syntax(7) read it. The program's own path
// takes no part in the replacement of variables, so its dollar signs are not doubled; New refuses them.
func execLine(executable string, args []string) string {
	words := []string{quote(escapeSpecifiers(executable))}
	for _, arg := range args {
		words = append(words, quote(strings.ReplaceAll(escapeSpecifiers(arg), "$", "$$")))
	}
	return strings.Join(words, " ")
}

// quote leaves a plain word as it is, so that a person can read the unit, and puts every other into double
// quotes, inside of which only the backslash and the quote itself mean something.
func quote(word string) string {
	plain := word != "" && strings.IndexFunc(word, func(r rune) bool {
		return !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._/:=,+@%$", r)
	}) < 0
	if plain {
		return word
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(word) + `"`
}

// patternsOf lists units by patterns that fit them alone: systemctl has nothing to say of one that is not there.
func patternsOf(names []string) string {
	words := make([]string, len(names))
	for i, name := range names {
		words[i] = strings.TrimSuffix(fileOf(name), "e") + "[e]"
	}
	return strings.Join(words, " ")
}

// quoted lists paths.
func quoted(paths []string) string {
	words := make([]string, len(paths))
	for i, name := range paths {
		words[i] = quote(escapeSpecifiers(name))
	}
	return strings.Join(words, " ")
}

// escapeSpecifiers keeps systemd from reading %i, %h and the like.
func escapeSpecifiers(text string) string { return strings.ReplaceAll(text, "%", "%%") }

func exitCodes(codes []int) string {
	words := make([]string, len(codes))
	for i, code := range codes {
		words[i] = strconv.Itoa(code)
	}
	return strings.Join(words, " ")
}

// seconds rounds up: a timeout of half a second must not become 0, which systemd reads as "never".
func seconds(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10) + "s"
}

// fileOf is the name of a unit as systemd has it.
func fileOf(name string) string { return name + ".service" }
