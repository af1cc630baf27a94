package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/runner-bootstrap/runner-bootstrap/internal/config"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
)

const (
	releases = "https://github.com/runner-bootstrap/runner-bootstrap/releases"
	// volatile is where a secret lies that is worthless after the install: it is gone
	// with the next boot.
	volatile = "/run/runner-bootstrap"
)

// cloudInitOptions are those of the install that the machine shall run, and of the
// way in which it gets this program.
type cloudInitOptions struct {
	install  installOptions
	userData userDataOptions
}

func (o *cloudInitOptions) groups() []group { return append(o.install.groups(), &o.userData) }

// userDataOptions say how the machine gets this program, and what its user data may hold.
type userDataOptions struct {
	baked         bool
	packageURL    string
	packageSHA256 string
	exposeSecrets bool
}

func (o *userDataOptions) options() []option {
	return []option{
		{
			name: "baked", commands: "cloud-init",
			usage: "the image has this program already, and best the runner in its cache (see prepare)",
			on:    &o.baked,
		},
		{
			name: "package", value: "URL", commands: "cloud-init",
			usage: "deb or rpm of this program that the machine shall install, instead of the latest release by its script",
			text:  &o.packageURL,
		},
		{
			name: "package-sha256", value: "HEX", commands: "cloud-init",
			usage: "digest that the package must have",
			text:  &o.packageSHA256,
		},
		{
			name: "i-know", commands: "cloud-init",
			usage: "put the long-lived credential into the user data, where every process of the machine may be able to read it",
			on:    &o.exposeSecrets,
		},
	}
}

func newCloudInit(call *session) *cobra.Command {
	o := &cloudInitOptions{}
	return call.command("cloud-init", "Print user data that makes a machine a runner at its first boot", `
Takes the options of install, and prints them as user data for cloud-init: the
machine gets this program (unless --baked), a configuration file, and runs install.
GitHub is not asked.

Everybody on the machine, jobs included, can usually read user data from the cloud's
metadata service. So a long-lived credential does not belong into it: let the machine
fetch one (--token-command, --app-key-command), or bring a registration token or a
just-in-time configuration, which is of no use after it was used.`,
		o.groups(), func(context.Context) error { return makeUserData(call, o) })
}

// userData is the part of cloud-init's format that we need (modules write_files
// and runcmd).
type userData struct {
	Files    []userFile `yaml:"write_files,omitempty"`
	Commands []string   `yaml:"runcmd"`
}

type userFile struct {
	Path        string `yaml:"path"`
	Permissions string `yaml:"permissions"`
	Content     string `yaml:"content"`
}

func (d *userData) private(path, content string) {
	d.Files = append(d.Files, userFile{path, "0600", strings.TrimRight(content, "\n") + "\n"})
}

func makeUserData(call *session, o *cloudInitOptions) error {
	scope, err := o.install.futureScope()
	if err != nil {
		return err
	}
	if err := o.userData.check(); err != nil {
		return err
	}
	data := userData{Commands: []string{"set -e"}}
	install := []string{"runner-bootstrap", "install"}
	issued, err := addIssuedTokens(call, o, &data)
	if err != nil {
		return err
	}
	if err := addCredential(call, o, &data, len(issued) > 0); err != nil {
		return err
	}
	settings, err := o.install.configFile(call.given)
	if err != nil {
		return err
	}
	if settings != "" {
		data.private(o.install.futurePaths().Config, settings)
		if o.install.place.dir != "" {
			install = append(install, "--dir", o.install.place.dir)
		}
	}
	data.Commands = append(data.Commands, fetchProgram(&o.userData, &o.install.network)...)
	data.Commands = append(data.Commands, shellWords(append(install, issued...)))
	return printUserData(call, o, scope, data)
}

func printUserData(call *session, o *cloudInitOptions, scope github.Scope, data userData) error {
	what := "A GitHub Actions runner"
	if o.install.scope.url != "" {
		what += " for " + scope.URL()
	}
	fmt.Fprintf(call.out, "#cloud-config\n# %s. Made by:\n#   %s\n", what, again(call.arguments))
	text, err := config.Text(data)
	if err == nil {
		_, err = io.WriteString(call.out, text)
	}
	return err
}

// futureScope checks what the install on the machine would refuse, as far as that
// can be known here.
func (o *installOptions) futureScope() (github.Scope, error) {
	var scope github.Scope
	var err error
	if o.scope.url != "" || o.issued.jitConfigFile == "" {
		if scope, err = o.scope.parse(); err != nil {
			return scope, err
		}
	}
	if err := o.check(scope); err != nil {
		return scope, err
	}
	if _, err := o.source.source(); err != nil {
		return scope, err
	}
	if err := o.lifecycle.check(); err != nil {
		return scope, err
	}
	return scope, o.report.check()
}

func (o *userDataOptions) check() error {
	digest, err := hex.DecodeString(o.packageSHA256)
	switch {
	case o.packageURL == "" && o.packageSHA256 != "":
		return usagef("--package-sha256 needs --package")
	case o.packageURL == "":
		return nil
	case o.baked:
		return usagef("--package and --baked: a baked image has the program already")
	case path.Ext(o.packageURL) != ".deb" && path.Ext(o.packageURL) != ".rpm":
		return usagef("--package: %q is neither a .deb nor a .rpm", o.packageURL)
	case err != nil || len(digest) != 32:
		return usagef("--package needs --package-sha256, the SHA-256 of the package in hexadecimal")
	}
	return nil
}

// addIssuedTokens puts what is of no use later into the user data, and returns the
// words by which install finds it.
func addIssuedTokens(call *session, o *cloudInitOptions, data *userData) ([]string, error) {
	if err := checkStandardInput(&o.install.credential, &o.install.issued); err != nil {
		return nil, err
	}
	issued := issuedTokens{}
	var words []string
	for _, s := range issuedSources(&o.install.issued) {
		if s.file == "" {
			continue
		}
		text, err := call.secrets().readIssuedText(call.running.Context(), s)
		if err == nil && strings.TrimSpace(text) == "" {
			err = usagef("reading %s: it is empty", s.what)
		}
		if err != nil {
			return nil, err
		}
		secret, err := s.read(text)
		if err != nil {
			return nil, err
		}
		file := path.Join(volatile, s.name)
		data.private(file, secret.Reveal())
		words = append(words, "--"+s.name+"-file", file)
		*s.into(&issued) = secret
	}
	return words, issued.applyTo(&plan.Request{}, &o.install)
}

// addCredential puts the credential into the user data where that is wanted
// knowingly. Otherwise the machine must be able to fetch one.
func addCredential(call *session, o *cloudInitOptions, data *userData, issued bool) error {
	given := &o.install.credential
	for _, s := range []struct {
		option, what, name string
		file               *string
	}{
		{"--token-file", "the token", "token", &given.tokenFile},
		{"--app-key-file", "the App's key", "app-key.pem", &given.appKeyFile},
	} {
		if *s.file == "" {
			continue
		}
		if !o.userData.exposeSecrets {
			return &usageError{
				text: s.option + ": every process on the machine could read it from user data; let the machine fetch it, " +
					"or say that you know with --i-know",
				hint: again(without(call.arguments, []string{s.option, ""}), strings.Replace(s.option, "-file", "-command", 1), "COMMAND"),
			}
		}
		text, err := call.secrets().readIssuedText(call.running.Context(), issuedSource{what: s.what, file: *s.file})
		if err != nil {
			return err
		}
		if strings.TrimSpace(text) == "" {
			return usagef("reading %s: it is empty", s.what)
		}
		*s.file = path.Join(path.Dir(o.install.futurePaths().Config), s.name)
		data.private(*s.file, text)
	}
	fetches := given.tokenCommand != "" || given.appKeyCommand != "" || given.tokenFile != "" || given.appKeyFile != ""
	switch {
	case !fetches && !issued:
		return &usageError{
			text: "the machine would have no credential",
			hint: again(call.arguments, "--token-command", "COMMAND"),
		}
	case given.appID == "" && (given.appKeyFile != "" || given.appKeyCommand != ""):
		return usagef("--app-key-file and --app-key-command need --app-id")
	}
	return nil
}

// futurePaths are those of the machine: it runs Linux.
func (o *installOptions) futurePaths() instance.Paths {
	if o.place.dir != "" {
		return instance.DefaultPaths(o.place.dir)
	}
	return instance.Paths{Config: "/etc/runner-bootstrap/config.yaml"}
}

// configFile writes what install is to be told, in the order of help. What was
// issued elsewhere is not in it: a configuration stays, and it does not.
func (o *installOptions) configFile(given func(name string) bool) (string, error) {
	var pairs []config.Pair
	for _, option := range optionsFor("install", o.groups()) {
		if given(option.name) && option.lasts() {
			pairs = append(pairs, config.Pair{Key: option.name, Value: option.setting()})
		}
	}
	if len(pairs) == 0 {
		return "", nil
	}
	return config.File(pairs)
}

// lasts tells whether the option belongs into a machine's configuration file.
func (o option) lasts() bool {
	switch o.name {
	case "registration-token-file", "jitconfig-file", "config", "dir", "no-progress", "log-format", "log-level":
		return false
	}
	return true
}

// setting is the option's value as YAML has it.
func (o option) setting() any {
	switch {
	case o.on != nil:
		return *o.on
	case o.count != nil:
		return *o.count
	case o.span != nil:
		return o.span.String()
	case o.list != nil:
		return *o.list
	case o.lines != nil:
		return *o.lines
	}
	return *o.text
}

// fetchProgram are the commands that bring this program to the machine.
func fetchProgram(o *userDataOptions, network *networkOptions) []string {
	if o.baked {
		return nil
	}
	var commands []string
	if network.proxy != "" {
		words := []string{"export", "https_proxy=" + network.proxy, "http_proxy=" + network.proxy}
		if network.noProxy != "" {
			words = append(words, "no_proxy="+network.noProxy)
		}
		commands = append(commands, shellWords(words))
	}
	commands = append(commands, `get() { curl -fsSL --retry 5 "$1" || wget -qO- "$1"; }`)
	get := func(url, file string) string { return shellWords([]string{"get", url}) + " >" + file }
	if o.packageURL != "" {
		file := "/run/runner-bootstrap" + path.Ext(o.packageURL)
		add := "rpm -U --replacepkgs " + file
		if path.Ext(file) == ".deb" {
			// The configuration file is there already, and is the one that is wanted.
			add = "DEBIAN_FRONTEND=noninteractive apt-get -y -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold install " + file
		}
		sum := strconv.Quote(strings.ToLower(o.packageSHA256) + "  " + file)
		return append(commands, get(o.packageURL, file), "echo "+sum+" | sha256sum -c -", add)
	}
	base, exact := releases+"/latest/download", ""
	if version != "" {
		base, exact = releases+"/download/v"+strings.TrimPrefix(version, "v"), " --version "+strings.TrimPrefix(version, "v")
	}
	script := "/run/runner-bootstrap-install.sh"
	return append(commands, get(base+"/install.sh", script), "sh "+script+exact)
}
