package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/shell"
	"github.com/runner-bootstrap/runner-bootstrap/internal/terminal"
	"github.com/runner-bootstrap/runner-bootstrap/internal/transport"
)

// streams are where a command reads and writes. Standard output carries data
// alone: a plan, a status, a table. Everything else goes to standard error.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// session is one call of the program.
type session struct {
	streams
	arguments []string
	groups    map[*cobra.Command][]group // what each command takes

	// Of the command that runs, once it is known.
	running  *cobra.Command
	options  []group
	operands []string // what is no option: runners, labels

	console     *console
	web         transport.Config
	credential  credential
	issued      issuedTokens
	input       []byte // what standard input has brought
	interrupted bool   // a signal asked us to stop
	earlier     earlier
	system      shell.System // whose commands hints have; zero: this one's
}

// run is the whole program; its result is the exit code.
func run(arguments []string, s streams) int {
	fileMode()
	// By the default one net/http tells what it finds odd in an answer, with a piece of it, and that may be a secret.
	slog.SetDefault(slog.New(slog.DiscardHandler))
	s.out = &terminal.Printable{To: s.out}
	call := &session{streams: s, arguments: arguments}
	call.console = newConsole(s.err, callOptions{logFormat: askedFormat(arguments), logLevel: "info"})
	if err := account.HideDescriptors(); err != nil {
		call.console.log.Warn("what config.sh or a job leaves behind may keep files open that this command was started with", "error", err)
	}
	if err := account.HideMemory(secretVariables()...); err != nil {
		call.console.log.Warn("other processes of this account may read the secrets that this command was given", "error", err)
	}
	root := newRoot(call)
	root.SetArgs(joined(arguments))
	err := root.ExecuteContext(context.Background())
	return call.report(misspelled(call, root, err))
}

func newRoot(call *session) *cobra.Command {
	root := &cobra.Command{
		Use:   "runner-bootstrap",
		Short: "Turn a host into a GitHub Actions self-hosted runner, keep it healthy, and remove it without a trace",
		Long: `Turn a host into a GitHub Actions self-hosted runner, keep it healthy, and remove it without a trace.

  ` + typedHere("sudo runner-bootstrap install --url https://github.com/OWNER/REPO") + `
  ` + typedHere("sudo runner-bootstrap uninstall"),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	// Not cobra's own --version: to change its words takes a template, and one template
	// makes the linker keep every method of every type (5 MB).
	asked := root.Flags().BoolP("version", "v", false, "print the version of this program")
	root.RunE = func(c *cobra.Command, _ []string) error {
		if *asked {
			_, err := io.WriteString(call.out, versionLine())
			return err
		}
		return errors.Join(c.Help(), usagef("no command given"))
	}
	root.SetIn(call.in)
	root.SetOut(call.out)
	root.SetErr(call.err)
	root.SetHelpFunc(func(c *cobra.Command, _ []string) { explain(call, c) })
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return noFlag(call, c, err) })
	root.SetHelpCommand(newHelp(call))
	root.AddCommand(newInstall(call), newUninstall(call), newStatus(call), newDoctor(call), newRun(call), newDrain(call), newRestart(call),
		newList(call), newLogs(call), newPrepare(call),
		newCloudInit(call), newConfig(call), newCache(call), newRunners(call), newLabels(call), newGroups(call), newDownloads(call),
		newToken(call), newJITConfig(call), newVersion(call), newCompletion(call))
	root.CompletionOptions.DisableDefaultCmd = true
	for _, c := range root.Commands() {
		if c.HasSubCommands() {
			c.Args = cobra.ArbitraryArgs // which are told with the family's name
			c.RunE = func(c *cobra.Command, arguments []string) error { return noMember(call, c, arguments) }
		}
	}
	root.AddCommand(newManual(call)) // for those who make packages
	giveOptions(root, call, declaredOptions())
	if strings.HasPrefix(firstOf(call.arguments...), "__complete") {
		addCompletions(root, call)
	}
	return root
}

// giveOptions gives every command below root its options, once each has its
// place there.
func giveOptions(root *cobra.Command, call *session, declared []option) {
	for _, command := range root.Commands() {
		if command.HasSubCommands() {
			giveOptions(command, call, declared)
			continue
		}
		addOptions(command, chosenOptions(declared, commandKey(command), call.groups[command]))
	}
}

// command makes a command of the groups of options that it takes, and of what it does
// once they are filled.
func (call *session) command(use, short, long string, groups []group, do func(context.Context) error) *cobra.Command {
	command := &cobra.Command{
		Use: use, Short: short, Long: short + ".\n\n" + strings.TrimSpace(long),
		Args: func(c *cobra.Command, arguments []string) error {
			if len(arguments) > 0 {
				return stray(call, c, arguments[0])
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error {
			call.running, call.options = c, groups
			if err := resolve(c, call); err != nil {
				return placed(call, err)
			}
			call.console = newConsole(call.err, *optionsOf[callOptions](call))
			if err := checkVariables(call); err != nil {
				return err
			}
			// What is read by others than us, or later. Tokens and keys are looked at where they are read.
			warnOfReaders(call.console.log, optionsOf[sourceOptions](call).mirrorHeaders, optionsOf[reportOptions](call).webhookSecret)
			if use == "install" || use == "uninstall" || use == "prepare" {
				ignoreBrokenPipe() // what has begun is finished, read or not; a list may end with its reader
			}
			return placed(call, do(c.Context()))
		},
	}
	setDefaults(groups...)
	if call.groups == nil {
		call.groups = map[*cobra.Command][]group{}
	}
	call.groups[command] = groups
	return command
}

// bind makes of a verb what can be done once its host, or its client, is there.
func bind[T, O any](call *session, o O, do func(context.Context, *session, T, O) error) func(context.Context, T) error {
	return func(ctx context.Context, of T) error { return do(ctx, call, of, o) }
}

// given tells whether the command that runs was given an option, wherever.
func (call *session) given(name string) bool { return call.running.Flags().Changed(name) }

// typed tells whether an option was given to the command that runs as a flag, and not in the configuration or by a variable.
func (call *session) typed(name string) bool {
	flag := call.running.Flags().Lookup(name)
	bound, ok := flag.Value.(*binding)
	return flag.Changed && (!ok || bound.from == "")
}

// family is a command that only holds others.
func family(use, short string, commands ...*cobra.Command) *cobra.Command {
	family := &cobra.Command{Use: use, Short: short, Long: short + "."}
	family.AddCommand(commands...)
	return family
}

// taking lets a command take operands: words of its use line, at least so many
// of them, and no more than most unless that is negative.
func (call *session) taking(command *cobra.Command, words string, least, most int) *cobra.Command {
	command.Use += " " + words
	command.Args = func(c *cobra.Command, arguments []string) error {
		call.operands = arguments
		if err := dashed(call, c, arguments); err != nil {
			return err
		}
		switch {
		case len(arguments) < least:
			return usagef("%s is missing", strings.Join(strings.Fields(words)[len(arguments):], " "))
		case most >= 0 && len(arguments) > most:
			return usagef("unexpected argument %q", shown(arguments[most]))
		}
		return nil
	}
	return command
}
