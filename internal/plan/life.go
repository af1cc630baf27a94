package plan

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
)

// needsCredential tells whether the supervisor is to do something at GitHub.
func needsCredential(identity instance.Identity, life instance.Life) bool {
	return (identity.Ephemeral || identity.JIT) && life.MaxJobs != 1 || life.DeregisterOnStop
}

// planLife compares how the runner is kept with what is wanted, and where its
// supervisor finds its credential.
func (p *planner) planLife(context.Context) error {
	r := p.Request
	before := p.Record
	life := r.Life
	life.MetricsFile = strings.ReplaceAll(life.MetricsFile, "{name}", p.plan.Name)
	p.Record.Life, p.Record.Credential = life, p.credential()
	p.Record.Source = instance.Source{Pinned: r.pinned(), Mirror: r.Source.Mirror, MirrorHeaders: r.Source.MirrorHeaders}
	if len(p.maker.Environment) > 0 || r.Earlier.Reset {
		p.Record.Environment = p.maker.Environment // without any, this shell may just not know them
	}
	p.KeepCredential = p.Record.Credential.Kept && !r.Keep.Empty() && (!p.known || !keptAlready(p.maker.Store, p.plan.Name, p.Request.Keep))
	source := before.Source
	if p.plan.ChangesIn(VersionPhase) && p.Record.Source.Pinned {
		source.Pinned = true // which its agent sees with the version
	}
	same := reflect.DeepEqual(before.Life, p.Record.Life) && before.Credential == p.Record.Credential &&
		source == p.Record.Source && slices.Equal(before.Environment, p.Record.Environment) && !p.KeepCredential
	if err := p.warnOfCompany(); err != nil {
		return err
	}
	words := LifeWords(p.Record)
	switch {
	case !same && p.known, !p.known && words != "":
		p.plan.change(LifePhase, p.plan.Name, words)
	case words != "":
		p.plan.keep(LifePhase, p.plan.Name, words)
	}
	return nil
}

// warnOfCompany warns when jobs of another runner run as the same account: they
// could watch this one being registered again, or change its files.
func (p *planner) warnOfCompany() error {
	if p.JobUser.Self || !needsCredential(p.Request.Identity, p.Request.Life) {
		return nil
	}
	records, err := ownRecords(p)
	if err != nil {
		return err
	}
	log := p.maker.Log
	for _, record := range records {
		if record.Name != p.plan.Name && record.User == p.plan.User {
			log.Warn("jobs of another runner run as the same account and can interfere; --user-per-runner or --user keep them apart",
				"runner", p.plan.Name, "other", record.Name, "account", p.plan.User)
			return nil
		}
	}
	return nil
}

// credential is where the supervisor is to find it. One that was not given this
// time stays where it was. What has no place is kept only if it is needed, and not
// where jobs run as the account which keeps it and could read it.
func (p *planner) credential() instance.Credential {
	given, needed := p.Request.Credential, needsCredential(p.Request.Identity, p.Request.Life)
	if given.Kept && needed && p.JobUser.Self {
		p.maker.Log.Warn("jobs run as this account, so the credential is not kept: the runner will not be registered again by itself")
	}
	if given.Kept && (!needed || p.JobUser.Self) || given.Empty() {
		return p.Record.Credential
	}
	return given
}

// keptAlready tells whether the request's credential is the one that is kept.
func keptAlready(store *instance.Store, name string, secret secret.Secret) bool {
	kept, err := store.KeptCredential(name)
	return err == nil && kept == secret.Reveal()
}

// LifeWords say how a runner is kept, as far as that is not the usual way.
func LifeWords(record instance.Record) string {
	var words []string
	add := func(on bool, text string) {
		if on {
			words = append(words, text)
		}
	}
	again := (record.Ephemeral || record.JIT) && record.MaxJobs != 1
	add(again && !record.Credential.Empty(), "registered again after each job")
	add(again && record.Credential.Empty(), "ends after its job, since there is no credential to register it again")
	add(record.DeregisterOnStop, "leaves GitHub when it stops")
	add(record.MaxIdle > 0, "ends after "+time.Duration(record.MaxIdle).String()+" without a job")
	add(record.MaxLifetime > 0, "ends after "+time.Duration(record.MaxLifetime).String())
	add(record.OnExit != "" && !record.OnExitPreempted, "then: "+record.OnExit)
	add(record.OnExit != "" && record.OnExitPreempted, "then, and when the machine is taken away: "+record.OnExit)
	c := record.Credential
	add(c.Kept, "its credential is kept for root alone")
	add(c.TokenFile != "", "credential in "+c.TokenFile)
	add(c.TokenCommand != "" || c.AppKeyCommand != "", "credential by its command")
	add(c.AppID != "" && !c.Kept, "credential of app "+c.AppID)
	return strings.Join(words, ", ")
}
