package main

import (
	"os"
	"path/filepath"
	"slices"

	"github.com/runner-bootstrap/runner-bootstrap/internal/agent"
	"github.com/runner-bootstrap/runner-bootstrap/internal/bootstrap"
	"github.com/runner-bootstrap/runner-bootstrap/internal/health"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/metadata"
)

// life is how the runner is to be kept, by the options.
func (o *options) life() (instance.Life, error) {
	if err := o.checkLife(); err != nil {
		return instance.Life{}, err
	}
	life := instance.Life{
		MaxJobs: o.maxJobs, MaxIdle: instance.Duration(o.maxIdle), MaxLifetime: instance.Duration(o.maxLifetime),
		DrainTimeout: instance.Duration(o.drainTimeout), DeregisterOnStop: o.deregisterOnStop,
		OnExit: o.onExit, Preemption: o.preemption, Webhook: o.statusWebhook,
		Allow: slices.Sorted(slices.Values(o.allow)),
	}
	if life.OnExit == "none" {
		life.OnExit = ""
	}
	var err error
	if o.webhookSecretFile != "" {
		if life.WebhookSecret, err = filepath.Abs(o.webhookSecretFile); err == nil {
			_, err = os.ReadFile(life.WebhookSecret)
		}
		if err != nil {
			return instance.Life{}, usagef("--status-webhook-secret-file: %v", err)
		}
	}
	if o.metricsFile != "" {
		if life.MetricsFile, err = filepath.Abs(o.metricsFile); err != nil {
			return instance.Life{}, usagef("--metrics-file: %v", err)
		}
	}
	return life, nil
}

func (o *options) checkLife() error {
	switch {
	case o.maxIdle < 0 || o.maxLifetime < 0 || o.drainTimeout < 0:
		return usagef("--max-idle, --max-lifetime and --drain-timeout: a duration is not negative")
	case o.webhookSecretFile != "" && o.statusWebhook == "":
		return usagef("--status-webhook-secret-file needs --status-webhook")
	}
	switch o.preemption {
	case agent.PreemptionAuto, agent.PreemptionOff:
	default:
		if _, err := metadata.ParseCloud(o.preemption); err != nil {
			return usagef("--preemption: %q is not auto, off, aws, gcp or azure", o.preemption)
		}
	}
	for _, word := range o.allow {
		if !slices.Contains([]string{bootstrap.AllowSudo, bootstrap.AllowDocker, bootstrap.AllowAll}, word) {
			return usagef("--allow: %q is not sudo, docker or all", word)
		}
	}
	if err := health.CheckURL(o.statusWebhook); o.statusWebhook != "" && err != nil {
		return usagef("--status-webhook: %v", err)
	}
	return nil
}
