package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/sudoers"
)

// sudoRule is the rule by which an account may run everything by sudo; see [sudoers.Rule].
type sudoRule interface {
	Write(ctx context.Context) error
	Remove() (left bool, err error)
}

// ruleOf is the rule of an account on this host.
func ruleOf(account string) sudoRule { return sudoers.Rule{Account: account} }

// setSudo lets the account use sudo, or no longer. The record announces a rule first, so that one that a killed run has left
// is known as ours.
func setSudo(ctx context.Context, i *installer, ruleOf func(account string) sudoRule) (string, error) {
	if !slices.Contains(i.record.Allow, plan.AllowSudo) {
		result, err := removeSudoRule(i.host, i.record, ruleOf(i.record.User))
		if err != nil {
			return "", err
		}
		i.record.SudoRule = ""
		return result, noteSudo(ctx, i.host.Store, i.record)
	}
	before := i.details.Found.SudoRule
	if err := noteSudo(ctx, i.host.Store, i.record); err != nil {
		return "", err
	}
	if err := ruleOf(i.plan.User).Write(ctx); err != nil {
		i.record.SudoRule = before
		return "", errors.Join(err, noteSudo(context.WithoutCancel(ctx), i.host.Store, i.record))
	}
	written := i.record
	i.former.Remember(func() error {
		if before != "" {
			return nil
		}
		if _, err := removeSudoRule(i.host, written, ruleOf(written.User)); err != nil {
			return err
		}
		written.SudoRule = ""
		return noteSudo(context.WithoutCancel(ctx), i.host.Store, written)
	})
	return fmt.Sprintf("account %s may run everything as root", i.plan.User), nil
}

// noteSudo saves this alone: a supervisor may be at work.
func noteSudo(ctx context.Context, store *instance.Store, record instance.Record) error {
	_, err := store.Update(ctx, record.Name, func(r *instance.Record) { r.SudoRule = record.SudoRule })
	return err
}

// removeSudoRule takes away the rule that a runner's jobs have sudo by, unless those of another one need it, or somebody has
// changed it.
func removeSudoRule(h *Host, record instance.Record, rule sudoRule) (result string, err error) {
	if record.SudoRule == "" {
		return "", nil
	}
	records, err := h.Store.List()
	if err != nil {
		return "", err
	}
	for _, other := range records {
		if other.Name != record.Name && other.SudoRule == record.SudoRule {
			return "left to runner " + other.Name, nil
		}
	}
	left, err := rule.Remove()
	if left {
		h.Log.Warn("the sudo rule is left, since somebody has changed it", "runner", record.Name, "file", record.SudoRule)
		return "left, since somebody has changed it", nil
	}
	return "removed", err
}
