package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/runner-bootstrap/runner-bootstrap/internal/config"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/places"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/userdata"
)

// releases is where this program is to be had.
const releases = "https://github.com/runner-bootstrap/runner-bootstrap/releases"

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
	// checksumsSHA256 is of the list of digests of this release, which pins all of its files.
	checksumsSHA256 string
	exposeSecrets   bool
	format          string
}

func (o *userDataOptions) options() []option {
	return []option{
		{
			name: "baked", commands: "cloud-init",
			usage: "the image already has this program, and should have the runner in its cache (see prepare)",
			on:    &o.baked,
		},
		{
			name: "package", value: "URL", commands: "cloud-init",
			usage: "URL of the deb or rpm that the machine installs, instead of the one of this release",
			text:  &o.packageURL,
		},
		{
			name: "package-sha256", value: "HEX", commands: "cloud-init",
			usage: "digest that the package must have",
			text:  &o.packageSHA256,
		},
		{
			name: "checksums-sha256", value: "HEX", commands: "cloud-init",
			usage: "digest that checksums.txt of this release must have; if not given, it is downloaded now to find out",
			text:  &o.checksumsSHA256,
		},
		{
			name: "i-know", commands: "cloud-init",
			usage: "put the long-lived credential into the user data, where every process of the machine may read it",
			on:    &o.exposeSecrets,
		},
		{
			name: "format", value: "FORMAT", fallback: string(userdata.Plain),
			among: []string{string(userdata.Plain), string(userdata.Gzip), string(userdata.MIME)}, commands: "cloud-init",
			usage: "plain, gzip (a third of the bytes), or mime (a multipart message, which other parts can be added to)",
			text:  &o.format,
		},
	}
}

func newCloudInit(call *session) *cobra.Command {
	o := &cloudInitOptions{}
	return call.command("cloud-init", "Print user data that makes a machine a runner at its first boot", `
Takes the options of install, and prints them as user data for cloud-init: the
machine gets a configuration file, this program in the same version (unless
--baked), and its first-boot unit, which tries again until there is a runner.
The version is pinned by the digest of its checksums.txt, which is downloaded
once, now, unless you give it (--checksums-sha256). Nothing else is downloaded.
Files that options name are put into the user data. A file with an absolute path
that is not on this host is left to the image of the machine; one with a
credential only with --baked.

Everybody on the machine, also a job, can usually read the user data from the
cloud's metadata service. So do not put a long-lived credential into it: let the
machine fetch one (--token-command, --app-key-command), or use a registration
token or a just-in-time configuration, which are soon of no use.`,
		o.groups(), func(ctx context.Context) error {
			return call.bounded(ctx, func(ctx context.Context) error { return makeUserData(ctx, call, o) })
		})
}

func makeUserData(ctx context.Context, call *session, o *cloudInitOptions) error {
	if err := o.userData.check(); err != nil {
		return err
	}
	if err := checkText(call, o); err != nil {
		return err
	}
	data := &userdata.Data{}
	issued, err := addIssuedTokens(call, o, data)
	if err != nil {
		return err
	}
	scope, err := o.install.futureScope(issued)
	if err != nil {
		return err
	}
	if err := addCredential(call, o, data, len(issued.variables) > 0); err != nil {
		return err
	}
	if err := addFiles(o, data); err != nil {
		return err
	}
	settings, err := o.install.configFile(call.given)
	if err != nil {
		return err
	}
	if settings != "" {
		data.AddPrivate(o.install.futurePaths().Config, settings)
	}
	if o.install.place.dir != "" {
		issued.variables = append(issued.variables, option{name: "dir"}.variable()+"="+o.install.place.dir)
	}
	if err := o.userData.pin(ctx, call); err != nil {
		return err
	}
	data.AddProgram(o.program(), issued.variables)
	return printUserData(call, o, scope, data)
}

// futureScope checks what the install on the machine would refuse, as far as that
// can be known here.
func (o *installOptions) futureScope(issued issuedFiles) (github.Scope, error) {
	if o.scope.url == "" && issued.jit {
		return github.Scope{}, usagef("--url is missing: a just-in-time configuration does not say what its runner belongs to")
	}
	if o.scope.url == "" {
		return github.Scope{}, withoutURL()
	}
	scope, err := o.scope.parse()
	if err != nil {
		return scope, err
	}
	if err := o.check(scope); err != nil {
		return scope, err
	}
	for _, check := range []func() error{o.credential.check, o.network.check, o.checkFuture} {
		if err := check(); err != nil {
			return scope, err
		}
	}
	if _, err := o.source.source(); err != nil {
		return scope, err
	}
	if err := o.lifecycle.check(); err != nil {
		return scope, err
	}
	return scope, o.report.check()
}

// checkFuture refuses what no machine that is to come could make a runner of.
func (o *installOptions) checkFuture() error {
	templates := append([]string{o.name.name}, o.identity.labels...)
	if o.identity.metadata == plan.MetadataOff && slices.ContainsFunc(templates, plan.NeedsCloud) {
		return fmt.Errorf("naming the runner: %w", plan.ErrUnasked)
	}
	if !path.IsAbs(o.identity.work) || runtime.GOOS == "windows" { // which reads the names of Linux otherwise
		return nil
	}
	return places.CheckSystemFolder(o.identity.work)
}

func (o *userDataOptions) check() error {
	digest, err := hex.DecodeString(o.packageSHA256)
	list, unread := hex.DecodeString(o.checksumsSHA256)
	switch {
	case o.checksumsSHA256 != "" && (o.baked || o.packageURL != ""):
		return usagef("--checksums-sha256 is of this program's release, which the machine does not fetch with --baked or --package")
	case o.checksumsSHA256 != "" && (unread != nil || len(list) != sha256.Size):
		return usagef("--checksums-sha256: it is not a SHA-256, which has 64 hexadecimal digits")
	case o.packageURL == "" && o.packageSHA256 != "":
		return usagef("--package-sha256 needs --package")
	case o.packageURL == "" && !o.baked && version == "":
		return usagef("this program is of no release, so it cannot name the package for the machine: " +
			"give --package, or --baked where the image has it")
	case o.packageURL == "":
		return nil
	case o.baked:
		return usagef("--package and --baked: a baked image has the program already")
	case userdata.PackageKind(o.packageURL) == "":
		address, _, _ := strings.Cut(o.packageURL, "?") // what follows may be a signature
		return usagef("--package: %q is not the URL of a .deb or a .rpm, https://HOST/NAME.deb", address)
	case err != nil || len(digest) != sha256.Size:
		return usagef("--package needs --package-sha256, the SHA-256 of the package in hexadecimal")
	}
	return nil
}

// issuedFiles are what was issued elsewhere and goes along.
type issuedFiles struct {
	variables []string // by which install finds it
	jit       bool
}

// addIssuedTokens puts what is of no use later into the user data.
func addIssuedTokens(call *session, o *cloudInitOptions, data *userdata.Data) (issuedFiles, error) {
	var found issuedFiles
	if err := checkStandardInput(&o.install.credential, &o.install.issued); err != nil {
		return found, err
	}
	issued := issuedTokens{}
	for _, s := range issuedSources(&o.install.issued) {
		if s.file == "" {
			continue
		}
		text, err := call.secrets().readIssuedText(call.running.Context(), s)
		if err == nil && strings.TrimSpace(text) == "" {
			err = usagef("reading %s: it is empty", s.what)
		}
		if err != nil {
			return found, err
		}
		secret, err := s.read(text)
		if err != nil {
			return found, err
		}
		file := path.Join(userdata.FirstBoot, s.name)
		data.AddPrivate(file, secret.Reveal())
		found.variables = append(found.variables, option{name: s.name + "-file"}.variable()+"="+file)
		found.jit = found.jit || s.name == "jitconfig"
		*s.into(&issued) = secret
	}
	switch {
	case found.jit:
		call.console.log.Warn("one machine can boot with this user data: a second one would be the same runner")
	case len(found.variables) > 0:
		call.console.log.Warn("a registration token lives for an hour: a machine that boots later cannot register with this user data",
			"instead", "--token-command, --app-key-command, or user data that is made for each machine")
	}
	return found, issued.applyTo(&plan.Request{}, &o.install)
}

// addCredential puts the credential into the user data where that is wanted
// knowingly. Otherwise the machine must be able to fetch one.
func addCredential(call *session, o *cloudInitOptions, data *userdata.Data, issued bool) error {
	given := &o.install.credential
	for _, s := range []struct {
		option, what, name string
		file               *string
	}{
		{"--token-file", "the token", "token", &given.tokenFile},
		{"--app-key-file", "the App's key", "app-key.pem", &given.appKeyFile},
	} {
		if *s.file == "" || o.userData.baked && leftToImage(*s.file) {
			continue
		}
		if !o.userData.exposeSecrets {
			return &usageError{
				text: s.option + ": every process on the machine could read it from user data; let the machine fetch it, " +
					"or say that you know with --i-know",
				hint: again(call, withoutOption(call.arguments, s.option), strings.Replace(s.option, "-file", "-command", 1), "COMMAND"),
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
		data.AddPrivate(*s.file, text)
	}
	fetches := given.tokenCommand != "" || given.appKeyCommand != "" || given.tokenFile != "" || given.appKeyFile != ""
	switch {
	case !fetches && !issued:
		return &usageError{
			text: "the machine would have no credential",
			hint: againWith(call, "--token-command", "COMMAND"),
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
	case "registration-token-file", "jitconfig-file", "config", "dir", "keep-trying", "no-progress", "log-format", "log-level":
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
		return *o.count.at
	case o.span != nil:
		return o.span.at.String()
	case o.list != nil:
		return *o.list
	case o.lines != nil:
		return *o.lines
	}
	return *o.text
}
