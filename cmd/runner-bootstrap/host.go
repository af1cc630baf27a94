package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/bootstrap"
	"github.com/runner-bootstrap/runner-bootstrap/internal/departure"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/machine"
	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
	"github.com/runner-bootstrap/runner-bootstrap/internal/transport"
)

// withHost reads the credential, puts the host together, and bounds what is
// done to it.
func (call *session) withHost(do func(context.Context, *bootstrap.Host) error) func(context.Context) error {
	return func(ctx context.Context) error {
		given, issued := optionsOf[credentialOptions](call), optionsOf[issuedOptions](call)
		err := checkStandardInput(given, issued)
		if err != nil {
			return err
		}
		return call.bounded(ctx, func(ctx context.Context) error {
			if call.issued, err = call.secrets().readIssuedTokens(ctx, issued); err != nil {
				return err
			}
			if call.credential, err = call.secrets().readCredential(ctx, given); err != nil {
				return err
			}
			host, err := call.host(call.credential)
			if err != nil {
				return err
			}
			if call.issued == (issuedTokens{}) {
				connectAsKept(call, host)
			}
			if host, err = askedHost(ctx, call, host); err != nil {
				return err
			}
			return do(ctx, host)
		})
	}
}

// askedHost is the host of a command that has no credential and needs one, once a person was asked for it.
func askedHost(ctx context.Context, call *session, host *bootstrap.Host) (*bootstrap.Host, error) {
	if host.Connect != nil || call.issued != (issuedTokens{}) || !needsToken(ctx, call, host) {
		return host, nil
	}
	if err := askToken(ctx, call); err != nil {
		return nil, err
	}
	if call.credential.empty() {
		return host, nil
	}
	return call.host(call.credential)
}

// needsToken tells whether a command can do nothing without a token: an install, and an uninstall that finds a runner which
// GitHub is to be told of.
func needsToken(ctx context.Context, call *session, host *bootstrap.Host) bool {
	switch commandKey(call.running) {
	case "install":
		return true
	case "uninstall":
		if optionsOf[removalOptions](call).skipGitHub {
			return false
		}
		names, err := chosenRunners(call, host.Store, optionsOf[nameOptions](call).name, *optionsOf[everyOptions](call))
		return err == nil && slices.ContainsFunc(names, func(name string) bool { // the command itself tells the error
			record, err := host.Store.Load(name)
			return err == nil && record.RunnerID != 0 && !copied(ctx, host, name)
		})
	}
	return false
}

// withHostAnyway is withHost for what also works without GitHub: a credential that
// cannot be had is an answer that GitHub does not give.
func (call *session) withHostAnyway(do func(context.Context, *bootstrap.Host) error) func(context.Context) error {
	return func(ctx context.Context) error {
		given := optionsOf[credentialOptions](call)
		if err := checkStandardInput(given, optionsOf[issuedOptions](call)); err != nil {
			return err
		}
		if err := dropIssuedVariables(); err != nil {
			return err
		}
		var cred credential
		unavailable := call.bounded(ctx, func(ctx context.Context) (err error) {
			cred, err = call.secrets().readCredential(ctx, given)
			return err
		})
		if call.interrupted {
			return unavailable
		}
		host, err := call.host(cred)
		if err != nil {
			return err
		}
		if unavailable == nil {
			connectAsKept(call, host)
		} else {
			api := transport.NewAPI(call.web)
			host.Connect = func(scope github.Scope) *github.Client { return github.NewClient(api, scope, unusable{unavailable}) }
		}
		return call.bounded(ctx, func(ctx context.Context) error { return do(ctx, host) })
	}
}

// sameSignal is how long the same signal is no other one: a terminal, timeout and sudo each may send it, to a process and its group.
const sameSignal = time.Second

// interruptible gives a context that ends with a signal, which is told once; the next one ends this process as if it were
// not heard: what was begun is continued by the next command.
func interruptible(ctx context.Context, tell func()) (interrupted context.Context, stop func()) {
	ctx, hear := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	var over atomic.Bool
	context.AfterFunc(ctx, func() {
		// A signal says in the cause which one it was; as an error it is no other than a cancel.
		if !over.Load() && errors.Is(ctx.Err(), context.Canceled) && context.Cause(ctx).Error() != context.Canceled.Error() {
			tell()
			<-time.After(sameSignal)
		}
		hear()
	})
	return ctx, func() {
		over.Store(true)
		hear()
	}
}

// bounded gives do a context that ends with the time allowed or with a signal.
func (call *session) bounded(ctx context.Context, do func(context.Context) error) error {
	ctx, stop := interruptible(ctx, func() {
		if call.console.asking.Load() {
			return // nothing has begun
		}
		call.console.announce("interrupted: what has begun is finished or put right, within half a minute; interrupt again to end at once")
	})
	defer stop()
	timed, cancel := context.WithTimeout(ctx, optionsOf[callOptions](call).timeout)
	defer cancel()
	err := do(timed)
	call.interrupted = errors.Is(ctx.Err(), context.Canceled)
	return err
}

// host puts together what the phases need.
func (call *session) host(cred credential) (*bootstrap.Host, error) {
	dir, err := optionsOf[placeOptions](call).absolute()
	if err != nil {
		return nil, err
	}
	executable, err := ownPath()
	if err != nil {
		return nil, err
	}
	roots, err := optionsOf[networkOptions](call).apply()
	if err != nil {
		return nil, err
	}
	source := optionsOf[sourceOptions](call)
	call.web = transport.Config{UserAgent: "runner-bootstrap/" + versionText(), Roots: roots, Log: call.console.log}
	paths := instance.DefaultPaths(dir)
	host := &bootstrap.Host{
		Paths: paths,
		Store: instance.NewStore(paths.State),
		Fetcher: &download.Fetcher{
			Client: transport.NewDownload(call.web), Connections: source.connections,
			MostStall: source.stallTimeout, Mirror: mirrorHeaders(source.mirrorHeaders),
			Cache: download.Cache{Dir: paths.Cache, Volatile: source.noSync},
		},
		Observer:    call.console,
		Services:    services{},
		Log:         call.console.log,
		Executable:  executable,
		Private:     dir != "",
		Roots:       roots,
		UserAgent:   call.web.UserAgent,
		Environment: passedOn(),
		Machine:     machine.New(),
		Waits: func(ctx context.Context, preemption string, patience time.Duration) string {
			watcher := departure.Watcher{Preemption: preemption, Age: machine.Age, Log: call.console.log}
			return watcher.Ask(ctx, patience)
		},
	}
	if dir != "" {
		host.Arguments = []string{"--dir", dir}
	}
	api := transport.NewAPI(call.web)
	host.Anonymous = func(scope github.Scope) *github.Client {
		return github.NewClient(api, scope, github.Static(secret.Secret{}))
	}
	if !cred.empty() {
		// One client for each scope: an App's has a token that it keeps.
		clients := map[string]*github.Client{}
		host.Connect = func(scope github.Scope) *github.Client {
			key := scope.API() + " " + scope.URL()
			if clients[key] == nil {
				clients[key] = cred.client(api, scope)
			}
			return clients[key]
		}
	}
	return host, nil
}

func ownPath() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(path)
}

// meant is the name of a runner that is here. A template of the configuration is about those that are to be installed, and says
// nothing of them.
func meant(call *session, name string) string {
	if strings.Contains(name, "{") && !call.typed("name") {
		return ""
	}
	return name
}

// theRunner is the runner that a command is about: the one named, or the only
// one there is.
func (call *session) theRunner(store *instance.Store, named string) (string, error) {
	if named = meant(call, named); named != "" {
		return store.Called(named), instance.CheckName(named)
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
	all := ""
	if call.running.Flags().Lookup("all") != nil {
		all = ", or --all"
	}
	hint := againWith(call, "--name", names[0])
	if commandKey(call.running) == "uninstall" {
		hint = call.here("status") // which one is to go is not for us to say
	}
	return "", &usageError{text: "several runners here (" + strings.Join(names, ", ") + "): choose one with --name" + all, hint: hint}
}
