package main

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"strings"
	"time"
	"unicode/utf16"
)

const (
	requestTimeout = 100 * time.Second
	maxLabelLength = 256
)

// errSilent is a failure whose words have been printed.
var errSilent = errors.New("configuration failed")

// configure registers this runner. It leaves behind what the real one leaves behind, also when it fails.
func (p *program) configure() int {
	p.testify("configure", p.opts.value("url"))
	p.say("\n--------------------------------------------------------------------------------")
	p.say("|        Self-hosted runner registration (simulated)                           |")
	p.say("--------------------------------------------------------------------------------\n")
	if err := p.tryConfigure(); err != nil {
		if !errors.Is(err, errSilent) {
			p.complain("%s", err)
		}
		return exitTerminated
	}
	return exitSuccess
}

func (p *program) tryConfigure() error {
	if p.isConfigured() {
		return said("Cannot configure the runner because it is already configured. To reconfigure the runner, run " +
			"'config.cmd remove' or './config.sh remove' first.")
	}
	address, err := p.ask("url", "What is the URL of your repository?")
	if err != nil {
		return err
	}
	at, err := locate(address)
	if err != nil {
		return err
	}
	j := &join{
		p: p, place: at, address: address, client: &http.Client{Timeout: requestTimeout},
		name: p.opts.value("name"), work: p.opts.value("work"),
	}
	if j.name == "" {
		if j.name, err = os.Hostname(); err != nil {
			return fmt.Errorf("finding the name of this host: %w", err)
		}
	}
	if j.work == "" {
		j.work = "_work"
	}
	for _, step := range []func() error{
		j.findToken, j.begin, j.makeKey, j.findGroup, j.findNamesake, j.chooseLabels, j.register, j.saveAll,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// ask takes a required value from the options or, if that is allowed, from a person.
func (p *program) ask(name, question string) (string, error) {
	if v := p.opts.value(name); v != "" {
		return v, nil
	}
	unattended := saidf("Invalid configuration provided for %s. Terminating unattended configuration.", name)
	if p.opts.flag("unattended") {
		return "", unattended
	}
	p.say("%s", question)
	line, err := bufio.NewReader(p.in).ReadString('\n')
	if line = strings.TrimSpace(line); line == "" {
		// The real runner asks for ever here.
		return "", errors.Join(fmt.Errorf("no answer for %s: %w", name, orNoAnswer(err)), unattended)
	}
	return line, nil
}

func orNoAnswer(err error) error {
	if err == nil {
		return errors.New("the line is empty")
	}
	return err
}

// askToken needs a terminal to read a token from; without one it fails.
func (p *program) askToken() (string, error) {
	if v := p.opts.value("token"); v != "" {
		return v, nil
	}
	if !p.opts.flag("unattended") {
		p.complain("Cannot read keys when either application does not have a console or when console input has been " +
			"redirected. Try Console.Read.")
	}
	return "", said("Invalid configuration provided for token. Terminating unattended configuration.")
}

// join is one registration on its way.
type join struct {
	p       *program
	place   place
	client  *http.Client
	address string
	name    string
	work    string

	token     string
	server    string
	publicKey string
	group     groupAnswer
	replaced  int64
	labels    []labelRequest
	answer    registerAnswer
}

type groupAnswer struct {
	ID        int64  `json:"id"`
	Name      string `json:"name"`
	IsDefault bool   `json:"default"`
}

type labelRequest struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
	Type string `json:"type"`
}

type registerAnswer struct {
	ID            int64  `json:"id"`
	Name          string `json:"name"`
	Authorization struct {
		AuthorizationURL string `json:"authorization_url"`
		ServerURL        string `json:"server_url"`
		ClientID         string `json:"client_id"`
	} `json:"authorization"`
}

func (j *join) remoteAuth() string { return "RemoteAuth " + j.token }

func (j *join) findToken() error {
	if pat := j.p.opts.value("pat"); pat != "" && j.p.opts.value("token") == "" {
		token, err := j.p.mint(j.client, j.place, "registration-token", pat)
		j.token = token
		return err
	}
	token, err := j.p.askToken()
	j.token = token
	return err
}

// mint gets a token for registration or removal with a personal access token.
func (p *program) mint(client *http.Client, at place, kind, pat string) (string, error) {
	var out struct {
		Token string `json:"token"`
	}
	err := p.persist(client, request{
		method: http.MethodPost, url: at.entity + "/runners/" + kind,
		auth: "Basic " + base64.StdEncoding.EncodeToString([]byte("github:"+pat)), out: &out,
	})
	return out.Token, err
}

func (j *join) begin() error {
	var out struct {
		URL string `json:"url"`
	}
	err := j.p.persist(j.client, request{
		method: http.MethodPost, url: j.place.base + "/actions/runner-registration", auth: j.remoteAuth(),
		in: map[string]string{"url": j.address, "runner_event": "register"}, out: &out,
	})
	j.server = out.URL
	if err == nil {
		j.p.say("\n# Authentication\n\n\n√ Connected to GitHub\n\n# Runner Registration\n")
	}
	return err
}

func (j *join) makeKey() error {
	key, err := j.p.key()
	if err != nil {
		return err
	}
	j.publicKey = publicXML(key)
	return nil
}

func (j *join) findGroup() error {
	var out struct {
		Groups []groupAnswer `json:"runner_groups"`
	}
	err := j.p.persist(j.client, request{
		method: http.MethodGet, url: j.place.entity + "/runner-groups", auth: j.remoteAuth(), out: &out,
	})
	if err != nil {
		return err
	}
	wanted := j.p.opts.value("runnergroup")
	for _, g := range out.Groups {
		if (wanted == "" && g.IsDefault) || (wanted != "" && strings.EqualFold(g.Name, wanted)) {
			j.group = g
			return nil
		}
	}
	return said("Could not find any self-hosted runner group named \"" + wanted + "\".")
}

func (j *join) findNamesake() error {
	var out struct {
		Runners []struct {
			ID   int64  `json:"id"`
			Name string `json:"name"`
		} `json:"runners"`
	}
	err := j.p.persist(j.client, request{
		method: http.MethodGet, url: j.place.entity + "/runners?name=" + url.QueryEscape(j.name), auth: j.remoteAuth(),
		out: &out,
	})
	if err != nil || len(out.Runners) == 0 {
		return err
	}
	j.p.say("A runner exists with the same name")
	if !j.p.opts.flag("replace") {
		return saidf("A runner exists with the same name %s.", j.name)
	}
	j.replaced = out.Runners[0].ID
	return nil
}

func (j *join) chooseLabels() error {
	add := func(kind string, names ...string) {
		for _, n := range names {
			if n = strings.TrimSpace(n); n != "" {
				j.labels = append(j.labels, labelRequest{Name: n, Type: kind})
			}
		}
	}
	own := takenLabels(j.p.opts.value("labels"))
	if !j.p.opts.flag("no-default-labels") {
		add("system", "self-hosted", systemLabel(), archLabel())
	} else if own == "" {
		return said("Disabling default labels via --no-default-labels without specifying --labels is not supported")
	}
	add("user", strings.Split(own, ",")...)
	return nil
}

// takenLabels is what the real runner makes of its --labels: one that is longer than 256 UTF-16 units, and all of them are
// dropped without a word (actions/runner, Validators.LabelsValidator and CommandSettings.GetArgOrPrompt).
func takenLabels(list string) string {
	for label := range strings.SplitSeq(list, ",") {
		if len(utf16.Encode([]rune(label))) > maxLabelLength {
			return ""
		}
	}
	return list
}

func systemLabel() string {
	switch runtime.GOOS {
	case "darwin":
		return "macOS"
	case "windows":
		return "Windows"
	}
	return "Linux"
}

func archLabel() string {
	if runtime.GOARCH == "amd64" {
		return "X64"
	}
	return strings.ToUpper(runtime.GOARCH)
}

func (j *join) register() error {
	in := map[string]any{
		"url": j.address, "group_id": j.group.ID, "name": j.name, "version": j.p.version, "labels": j.labels,
		"updates_disabled": j.p.opts.flag("disableupdate"), "ephemeral": j.p.opts.flag("ephemeral"),
		"public_key": j.publicKey,
	}
	if j.replaced != 0 {
		in["runner_id"], in["replace"] = j.replaced, true
	}
	err := j.p.persist(j.client, request{
		method: http.MethodPost, url: j.place.base + "/actions/runners/register", auth: j.remoteAuth(), in: in,
		out: &j.answer,
	})
	if err != nil {
		return err
	}
	if j.replaced != 0 {
		j.p.say("√ Successfully replaced the runner")
	} else {
		j.p.say("√ Runner successfully added")
	}
	return nil
}

func (j *join) saveAll() error {
	j.p.say("\n# Runner settings\n")
	auth := j.answer.Authorization
	err := j.p.save(credentialsFile, credentials{
		Scheme: "OAuth",
		Data:   credentialData{ClientID: auth.ClientID, AuthorizationURL: auth.AuthorizationURL, RequireFips: "True"},
	}, 0o644)
	if err != nil {
		return err
	}
	hosted := false
	settings := savedSettings{
		AgentID: j.answer.ID, AgentName: j.answer.Name, PoolID: j.group.ID, PoolName: j.group.Name,
		DisableUpdate: j.p.opts.flag("disableupdate"), Ephemeral: j.p.opts.flag("ephemeral"), ServerURL: j.server,
		GitHubURL: j.address, WorkFolder: j.work, UseV2Flow: true, UseRunnerAdminFlow: true, ServerURLV2: auth.ServerURL,
	}
	if u, err := url.Parse(j.address); err == nil && !isHosted(u.Hostname()) {
		settings.IsHostedServer = &hosted
	}
	if err := j.p.save(runnerFile, settings, 0o644); err != nil {
		return err
	}
	if err := j.p.writeServiceScript(settings); err != nil {
		return err
	}
	j.p.say("√ Settings Saved.\n")
	return nil
}
