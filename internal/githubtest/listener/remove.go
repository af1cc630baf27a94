package main

import (
	"net/http"
	"runtime"
)

// remove takes this runner away from GitHub and then forgets it. If GitHub refuses, everything stays.
func (p *program) remove() int {
	var s settings
	configured := p.isConfigured()
	if configured {
		if err := p.load(runnerFile, &s); err != nil {
			return p.fail(err)
		}
	}
	address := string(s.GitHubURL)
	if address == "" {
		address = string(s.ServerURLV2)
	}
	p.testify("remove", address)
	if p.opts.flag("local") {
		if err := p.forget(); err != nil {
			return p.fail(err)
		}
		p.say("√ Removed .credentials\n√ Removed .runner")
		return exitSuccess
	}
	p.say("\n# Runner removal\n")
	if p.exists(".service") && runtime.GOOS != "windows" {
		p.say("\nFailed: Removing runner from the server")
		return p.fail(said("Uninstall service first"))
	}
	if !configured || (!p.exists(credentialsFile) && !p.exists(credentialsFile+migratedSuffix)) {
		p.say("Cannot connect to server, because config files are missing. Skipping removing runner from the server.")
		p.say("Does not exist. Skipping Removing .credentials")
		p.say("Does not exist. Skipping Removing .runner")
		if err := p.forget(); err != nil {
			return p.fail(err)
		}
		return exitSuccess
	}
	if err := p.deregister(s); err != nil {
		p.say("\nFailed: Removing runner from the server")
		return p.fail(err)
	}
	p.say("√ Runner removed successfully")
	if err := p.forget(); err != nil {
		return p.fail(err)
	}
	p.say("√ Removed .credentials\n√ Removed .runner\n")
	return exitSuccess
}

func (p *program) deregister(s settings) error {
	if s.GitHubURL == "" {
		// A JIT runner does not know where it belongs; the real one ends in the same words.
		return said("Not authorized. The runner was not configured with a GitHub URL.")
	}
	at, err := locate(string(s.GitHubURL))
	if err != nil {
		return err
	}
	client := &http.Client{Timeout: requestTimeout}
	token := p.opts.value("token")
	if pat := p.opts.value("pat"); pat != "" && token == "" {
		if token, err = p.mint(client, at, "remove-token", pat); err != nil {
			return err
		}
	}
	if token == "" {
		if token, err = p.askToken(); err != nil {
			return err
		}
	}
	return p.persist(client, request{
		method: http.MethodDelete, url: at.entity + "/runners/" + string(s.AgentID), auth: "RemoteAuth " + token,
	})
}
