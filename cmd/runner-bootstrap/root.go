package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/runner-bootstrap/runner-bootstrap/internal/bootstrap"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
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
	arguments   []string
	operands    []string // what is no option: runners, labels
	values      options
	minted      minted
	principal   principal
	web         transport.Config
	console     *console
	interrupted bool // a signal asked us to stop
}

// run is the whole program; its result is the exit code.
func run(arguments []string, s streams) int {
	fileMode()
	s.out = &printableWriter{to: s.out}
	call := &session{streams: s, arguments: arguments}
	call.console = newConsole(s.err, options{logFormat: "auto", logLevel: "info"})
	root := newRoot(call)
	root.SetArgs(arguments)
	err := root.ExecuteContext(context.Background())
	return call.report(err)
}

func newRoot(call *session) *cobra.Command {
	root := &cobra.Command{
		Use:   "runner-bootstrap",
		Short: "Turn a host into a GitHub Actions self-hosted runner, keep it healthy, and remove it without a trace",
		Long: `Turn a host into a GitHub Actions self-hosted runner, keep it healthy, and remove it without a trace.

  gh auth token | sudo runner-bootstrap install --url https://github.com/OWNER/REPO --token-file -
  gh auth token | sudo runner-bootstrap uninstall --token-file -`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		RunE: func(c *cobra.Command, _ []string) error {
			return errors.Join(c.Help(), usagef("no command given"))
		},
	}
	root.SetIn(call.in)
	root.SetOut(call.out)
	root.SetErr(call.err)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usagef("%v", err) })
	root.AddCommand(newInstall(call), newUninstall(call), newStatus(call), newDoctor(call), newRun(call), newDrain(call), newPrepare(call),
		newCloudInit(call), newCache(call), newRunners(call), newLabels(call), newGroups(call), newDownloads(call), newToken(call),
		newJITConfig(call), newVersion(call))
	root.AddCommand(newManual(call)) // for those who make packages
	giveOptions(root, &call.values)
	return root
}

// command makes a command of what it does once its options are resolved.
func (call *session) command(use, short, long string, do func(context.Context) error) *cobra.Command {
	command := &cobra.Command{
		Use: use, Short: short, Long: short + ".\n\n" + strings.TrimSpace(long),
		Args: func(_ *cobra.Command, arguments []string) error {
			if len(arguments) > 0 {
				return usagef("unexpected argument %q", arguments[0])
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error {
			if err := resolve(c, &call.values); err != nil {
				return err
			}
			if err := checkLog(call.values); err != nil {
				return err
			}
			call.console = newConsole(call.err, call.values)
			if use == "install" || use == "uninstall" || use == "prepare" {
				ignoreBrokenPipe() // what has begun is finished, whoever listens; a list may end with its reader
			}
			return do(c.Context())
		},
	}
	return command
}

// giveOptions gives every command below root its options, once each has its
// place there.
func giveOptions(root *cobra.Command, values *options) {
	for _, command := range root.Commands() {
		if command.HasSubCommands() {
			giveOptions(command, values)
			continue
		}
		addOptions(command, values)
	}
}

// withHost reads the credential, puts the host together, and bounds what is
// done to it.
func (call *session) withHost(do func(context.Context, *bootstrap.Host) error) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := call.values.checkStandardInput(); err != nil {
			return err
		}
		if err := call.takeMinted(); err != nil {
			return err
		}
		who, err := call.takePrincipal(ctx)
		if err != nil {
			return err
		}
		call.principal = who
		host, err := call.host(who)
		if err != nil {
			return err
		}
		return call.bounded(ctx, func(ctx context.Context) error { return do(ctx, host) })
	}
}

// withHostAnyway is withHost for what also works without GitHub: a credential that
// cannot be had is an answer that GitHub does not give.
func (call *session) withHostAnyway(do func(context.Context, *bootstrap.Host) error) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := call.values.checkStandardInput(); err != nil {
			return err
		}
		for _, source := range call.mintedSources() {
			if _, err := takeVariables(source.variables); err != nil {
				return err // no program that we start inherits one
			}
		}
		who, unavailable := call.takePrincipal(ctx)
		host, err := call.host(who)
		if err != nil {
			return err
		}
		if unavailable != nil {
			api := transport.NewAPI(call.web)
			host.Connect = func(scope github.Scope) *github.Client { return github.NewClient(api, scope, unusable{unavailable}) }
		}
		return call.bounded(ctx, func(ctx context.Context) error { return do(ctx, host) })
	}
}

// bounded gives do a context that ends with the time allowed or with a signal.
func (call *session) bounded(ctx context.Context, do func(context.Context) error) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	timed, cancel := context.WithTimeout(ctx, call.values.timeout)
	defer cancel()
	err := do(timed)
	call.interrupted = ctx.Err() != nil
	return err
}

// host puts together what the phases need.
func (call *session) host(who principal) (*bootstrap.Host, error) {
	dir, err := call.values.directory()
	if err != nil {
		return nil, err
	}
	executable, err := ownPath()
	if err != nil {
		return nil, err
	}
	roots, err := call.values.network()
	if err != nil {
		return nil, err
	}
	call.web = transport.Config{UserAgent: "runner-bootstrap/" + versionText(), Roots: roots, Log: call.console.log}
	paths := instance.DefaultPaths(dir)
	host := &bootstrap.Host{
		Paths: paths,
		Store: instance.NewStore(paths.State),
		Fetcher: &download.Fetcher{
			Client: transport.NewDownload(call.web), Connections: call.values.connections,
			Cache: download.Cache{Dir: paths.Cache, Volatile: call.values.noSync},
		},
		Observer:    call.console,
		Log:         call.console.log,
		Services:    services{},
		Executable:  executable,
		Private:     dir != "",
		Roots:       roots,
		UserAgent:   call.web.UserAgent,
		Environment: passedOn(),
	}
	if dir != "" {
		host.Arguments = []string{"--dir", dir}
	}
	api := transport.NewAPI(call.web)
	host.Anonymous = func(scope github.Scope) *github.Client {
		return github.NewClient(api, scope, github.Static(github.Secret{}))
	}
	if !who.empty() {
		// One client for each scope: an App's has a token that it keeps.
		clients := map[string]*github.Client{}
		host.Connect = func(scope github.Scope) *github.Client {
			key := scope.API() + " " + scope.URL()
			if clients[key] == nil {
				clients[key] = who.client(api, scope)
			}
			return clients[key]
		}
	}
	return host, nil
}

// directory is --dir, absolute; empty without it.
func (o *options) directory() (string, error) {
	if o.dir == "" {
		return "", nil
	}
	absolute, err := filepath.Abs(o.dir)
	if err != nil {
		return "", usagef("--dir: %v", err)
	}
	return absolute, nil
}

func ownPath() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(path)
}

// theRunner is the runner that a command is about: the one named, or the only
// one there is.
func (call *session) theRunner(store *instance.Store) (string, error) {
	if call.values.name != "" {
		return call.values.name, instance.CheckName(call.values.name)
	}
	records, err := store.List()
	if err != nil {
		return "", err
	}
	switch len(records) {
	case 0:
		return "", nil
	case 1:
		return records[0].Name, nil
	}
	names := make([]string, 0, len(records))
	for _, record := range records {
		names = append(names, record.Name)
	}
	return "", &usageError{
		text: "this host has several runners (" + strings.Join(names, ", ") + "): which one?",
		hint: again(call.arguments, "--name", names[0]),
	}
}
