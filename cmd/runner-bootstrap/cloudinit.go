package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/runner-bootstrap/runner-bootstrap/internal/bootstrap"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
)

const (
	releases = "https://github.com/runner-bootstrap/runner-bootstrap/releases"
	// brief is where a secret lies that is worthless after the install: it is gone
	// with the next boot.
	brief = "/run/runner-bootstrap"
)

func newCloudInit(call *session) *cobra.Command {
	var command *cobra.Command
	command = call.command("cloud-init", "Print user data that makes a machine a runner at its first boot", `
Takes the options of install, and prints them as user data for cloud-init: the
machine gets this program (unless --baked), a configuration file, and runs install.
GitHub is not asked.

Everybody on the machine, jobs included, can usually read user data from the cloud's
metadata service. So a long-lived credential does not belong into it: let the machine
fetch one (--token-command, --app-key-command), or bring a registration token or a
just-in-time configuration, which is of no use after it was used.`,
		func(context.Context) error { return call.cloudInit(command.Flags()) })
	return command
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

func (call *session) cloudInit(flags *pflag.FlagSet) error {
	o := &call.values
	scope, err := o.futureScope()
	if err != nil {
		return err
	}
	if err := o.checkPackage(); err != nil {
		return err
	}
	data := userData{Commands: []string{"set -e"}}
	install := []string{"runner-bootstrap", "install"}
	brought, err := call.briefSecrets(&data)
	if err != nil {
		return err
	}
	if err := call.lastingSecrets(&data, len(brought) > 0); err != nil {
		return err
	}
	config, err := o.configFile(flags)
	if err != nil {
		return err
	}
	if config != "" {
		data.private(o.futurePaths().Config, config)
		if o.dir != "" {
			install = append(install, "--dir", o.dir)
		}
	}
	data.Commands = append(data.Commands, o.fetchProgram()...)
	data.Commands = append(data.Commands, shellWords(append(install, brought...)))
	return call.printUserData(scope, data)
}

func (call *session) printUserData(scope github.Scope, data userData) error {
	what := "A GitHub Actions runner"
	if call.values.url != "" {
		what += " for " + scope.URL()
	}
	fmt.Fprintf(call.out, "#cloud-config\n# %s. Made by:\n#   %s\n", what, again(call.arguments))
	text, err := yamlText(data)
	if err == nil {
		_, err = io.WriteString(call.out, text)
	}
	return err
}

func yamlText(value any) (string, error) {
	var text strings.Builder
	encoder := yaml.NewEncoder(&text)
	encoder.SetIndent(2)
	err := errors.Join(encoder.Encode(value), encoder.Close())
	if err != nil {
		return "", fmt.Errorf("writing YAML: %w", err)
	}
	return text.String(), nil
}

// futureScope checks what the install on the machine would refuse, as far as that
// can be known here.
func (o *options) futureScope() (github.Scope, error) {
	var scope github.Scope
	var err error
	if o.url != "" || o.jitConfigFile == "" {
		if scope, err = github.ParseScope(o.url, o.apiURL); err != nil {
			return scope, err
		}
	}
	if err := o.check(scope); err != nil {
		return scope, err
	}
	if _, err := o.source(); err != nil {
		return scope, err
	}
	return scope, o.checkLife()
}

func (o *options) checkPackage() error {
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

// briefSecrets puts what is of no use later into the user data, and returns the
// words by which install finds it.
func (call *session) briefSecrets(data *userData) ([]string, error) {
	o := &call.values
	if err := o.checkStandardInput(); err != nil {
		return nil, err
	}
	issued := issuedTokens{}
	var words []string
	for _, s := range call.issuedSources() {
		if s.file == "" {
			continue
		}
		text, err := call.issuedText(s)
		if err == nil && strings.TrimSpace(text) == "" {
			err = usagef("reading %s: it is empty", s.what)
		}
		if err == nil {
			err = github.CheckToken(text)
		}
		if err != nil {
			return nil, err
		}
		file := path.Join(brief, s.name)
		data.private(file, strings.TrimSpace(text))
		words = append(words, "--"+s.name+"-file", file)
		if s.name == "jitconfig" {
			issued.jit = github.NewSecret(text)
		} else {
			issued.registration = github.NewSecret(text)
		}
	}
	return words, issued.applyTo(&bootstrap.Request{}, o)
}

// lastingSecrets puts the credential into the user data where that is wanted
// knowingly. Otherwise the machine must be able to fetch one.
func (call *session) lastingSecrets(data *userData, brought bool) error {
	o := &call.values
	for _, s := range []struct {
		option, what, name string
		file               *string
	}{
		{"--token-file", "the token", "token", &o.tokenFile},
		{"--app-key-file", "the App's key", "app-key.pem", &o.appKeyFile},
	} {
		if *s.file == "" {
			continue
		}
		if !o.iKnow {
			return &usageError{
				text: s.option + ": every process on the machine could read it from user data; let the machine fetch it, " +
					"or say that you know with --i-know",
				hint: again(without(call.arguments, []string{s.option, ""}), strings.Replace(s.option, "-file", "-command", 1), "COMMAND"),
			}
		}
		text, err := call.issuedText(issuedSource{what: s.what, file: *s.file})
		if err != nil {
			return err
		}
		if strings.TrimSpace(text) == "" {
			return usagef("reading %s: it is empty", s.what)
		}
		*s.file = path.Join(path.Dir(o.futurePaths().Config), s.name)
		data.private(*s.file, text)
	}
	fetches := o.tokenCommand != "" || o.appKeyCommand != "" || o.tokenFile != "" || o.appKeyFile != ""
	switch {
	case !fetches && !brought:
		return &usageError{
			text: "the machine would have no credential",
			hint: again(call.arguments, "--token-command", "COMMAND"),
		}
	case o.appID == "" && (o.appKeyFile != "" || o.appKeyCommand != ""):
		return usagef("--app-key-file and --app-key-command need --app-id")
	}
	return nil
}

// futurePaths are those of the machine: it runs Linux.
func (o *options) futurePaths() instance.Paths {
	if o.dir != "" {
		return instance.DefaultPaths(o.dir)
	}
	return instance.Paths{Config: "/etc/runner-bootstrap/config.yaml"}
}

// configFile writes what install is to be told, in the order of help. What was
// brought is not in it: a configuration stays, and it does not.
func (o *options) configFile(flags *pflag.FlagSet) (string, error) {
	mapping := &yaml.Node{Kind: yaml.MappingNode}
	for _, option := range declaredOptions() {
		flag := flags.Lookup(option.name)
		if flag == nil || !flag.Changed || !option.of("install") || !option.lasts() {
			continue
		}
		value := &yaml.Node{}
		if err := value.Encode(option.setting(o)); err != nil {
			return "", fmt.Errorf("writing option %q: %w", option.name, err)
		}
		mapping.Content = append(mapping.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: option.name}, value)
	}
	if len(mapping.Content) == 0 {
		return "", nil
	}
	return yamlText(mapping)
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
func (o option) setting(values *options) any {
	switch {
	case o.on != nil:
		return *o.on(values)
	case o.count != nil:
		return *o.count(values)
	case o.span != nil:
		return o.span(values).String()
	case o.list != nil:
		return *o.list(values)
	case o.lines != nil:
		return *o.lines(values)
	}
	return *o.text(values)
}

// fetchProgram are the commands that bring this program to the machine.
func (o *options) fetchProgram() []string {
	if o.baked {
		return nil
	}
	var commands []string
	if o.proxy != "" {
		words := []string{"export", "https_proxy=" + o.proxy, "http_proxy=" + o.proxy}
		if o.noProxy != "" {
			words = append(words, "no_proxy="+o.noProxy)
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
