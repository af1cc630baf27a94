package bootstrap

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
)

// needsCredential tells whether the supervisor is to do something at GitHub.
func needsCredential(identity instance.Identity, life instance.Life) bool {
	return (identity.Ephemeral || identity.JIT) && life.MaxJobs != 1 || life.DeregisterOnStop
}

// planLife compares how the runner is kept with what is wanted, and where its
// supervisor finds its credential. A credential that was not given this time
// stays what it was.
func (p *planner) planLife(context.Context) error {
	r := p.request
	credential := r.Credential
	if credential.Kept && (p.jobUser.Self || !needsCredential(r.Identity, r.Life)) {
		// Jobs that run as the account which keeps it could read it.
		if p.jobUser.Self && needsCredential(r.Identity, r.Life) {
			p.Log.Warn("jobs run as this account, so the credential is not kept: the runner will not be registered again by itself")
		}
		credential = instance.Credential{}
	}
	if credential.Empty() {
		credential = p.record.Credential
	}
	p.keepSecret = credential.Kept && !r.Keep.Empty()
	if p.keepSecret && p.known {
		if kept, err := p.Store.KeptCredential(p.Name); err == nil && kept == r.Keep.Reveal() {
			p.keepSecret = false
		}
	}
	life := r.Life
	life.MetricsFile = strings.ReplaceAll(life.MetricsFile, "{name}", p.Name)
	environment := p.Environment
	if len(environment) == 0 {
		environment = p.record.Environment // this shell may just not know them
	}
	source := instance.Source{Pinned: r.Source.Version != "" || r.Source.Archive != "", Mirror: r.Source.Mirror}
	same := reflect.DeepEqual(p.record.Life, life) && slices.Equal(p.record.Environment, environment) &&
		p.record.Credential == credential && p.record.Source == source && !p.keepSecret
	p.record.Life, p.record.Credential, p.record.Environment = life, credential, environment
	p.record.Source = source
	words := lifeWords(p.record)
	switch {
	case same && p.known:
		if words != "" {
			p.keep(LifePhase, p.Name, words)
		}
	case p.known || words != "":
		p.change(LifePhase, p.Name, words)
	}
	return nil
}

// lifeWords say how a runner is kept, as far as that is not the usual way.
func lifeWords(record instance.Record) string {
	var words []string
	add := func(on bool, text string) {
		if on {
			words = append(words, text)
		}
	}
	again := (record.Ephemeral || record.JIT) && record.MaxJobs != 1
	add(again && !record.Credential.Empty(), "registered anew after each job")
	add(record.DeregisterOnStop, "leaves GitHub when it stops")
	add(record.MaxIdle > 0, "ends after "+time.Duration(record.MaxIdle).String()+" without a job")
	add(record.MaxLifetime > 0, "ends after "+time.Duration(record.MaxLifetime).String())
	add(record.OnExit != "", "then: "+record.OnExit)
	c := record.Credential
	add(c.Kept, "its credential is kept for root alone")
	add(c.TokenFile != "", "credential in "+c.TokenFile)
	add(c.TokenCommand != "", "credential by its command")
	add(c.AppID != "" && !c.Kept, "credential of app "+c.AppID)
	return strings.Join(words, ", ")
}
