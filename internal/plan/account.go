package plan

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/places"
	"github.com/runner-bootstrap/runner-bootstrap/internal/refusal"
)

// planAccount finds who runs the jobs: never root.
func (p *planner) planAccount(ctx context.Context) error {
	if !account.Privileged() {
		user, err := p.maker.ownAccount(p.Request.User)
		p.JobUser, p.plan.User = user, user.Name
		return err
	}
	name, ours, err := p.accountName()
	if err != nil {
		return err
	}
	user, err := account.Lookup(name)
	if errors.Is(err, account.ErrAbsent) && (ours || p.Request.CreateUser) {
		user, err = p.planNewAccount(name)
	}
	if err != nil {
		return err
	}
	p.JobUser, p.plan.User = user, user.Name // as the system calls it
	if p.known && p.Record.User != "" && p.Record.User != p.plan.User {
		// All its files are the other one's.
		return &refusal.Error{
			Object: fmt.Sprintf("running jobs of %q as account %q", p.plan.Name, p.plan.User), Reason: ErrOtherAccount,
			Detail: p.Record.User, Name: p.plan.Name,
		}
	}
	if user.Root() {
		return &refusal.Error{
			Object: fmt.Sprintf("account %q", p.plan.User), Reason: ErrAccount, Detail: "a job would own this host", Name: p.plan.User,
		}
	}
	p.warnOfAccount()
	warnOfAllowed(ctx, p)
	if life := lifeOf(p.Record, user); life.Name != "" && user.Unreadable(p.maker.Executable) != "" {
		return &refusal.Error{
			Object: fmt.Sprintf("running %q as account %q", p.maker.Executable, p.plan.User), Reason: ErrProgram, Name: p.maker.Executable,
		}
	}
	return checkBarrier(p.JobUser, p.plan.Dir)
}

// accountName is the account that is asked for, or the runner's own, or else one of ours, which is
// created where it is absent. Jobs of one account can read and change what those of another leave, so
// that one of ours serves one runner.
func (p *planner) accountName() (name string, ours bool, err error) {
	if name := p.Request.User; name != "" {
		return name, name == DefaultUser, nil
	}
	if name := p.Record.User; name != "" {
		return name, isDefaultUser(name), nil // it may have gone since
	}
	if name, has := ownAccountOf(p); has {
		return name, false, nil
	}
	records, err := ownRecords(p)
	if err != nil {
		return "", false, err
	}
	taken := map[string]bool{}
	for _, record := range records {
		taken[record.User] = true
	}
	number := p.Request.Index
	if number == 0 {
		if !taken[DefaultUser] {
			return DefaultUser, true, nil
		}
		number = 2
	}
	for taken[numberedUser(DefaultUser, number)] {
		number++
	}
	return numberedUser(DefaultUser, number), true, nil
}

// isDefaultUser tells whether a name is one that accountName gives.
func isDefaultUser(name string) bool {
	if name == DefaultUser {
		return true
	}
	number, found := strings.CutPrefix(name, DefaultUser+"-")
	n, err := strconv.Atoi(number)
	return found && err == nil && n > 0 && name == numberedUser(DefaultUser, n)
}

func numberedUser(base string, number int) string { return base + "-" + strconv.Itoa(number) }

// planNewAccount has an account created.
func (p *planner) planNewAccount(name string) (account.User, error) {
	if !account.Creatable(name) {
		return account.User{}, &refusal.Error{
			Object: fmt.Sprintf("creating account %q", name), Reason: account.ErrCreate,
			Detail: "a name has up to 32 of a-z, 0-9, - and _, and begins with a letter", Name: name,
		}
	}
	p.plan.change(AccountPhase, name, "no such account yet")
	// It will be one of those that directories call others.
	return account.User{Name: name, UID: -1, GID: -1}, nil
}

// ownAccount is the account of the user who runs this, which needs no privileges.
func (m *Maker) ownAccount(name string) (account.User, error) {
	if !m.Private {
		return account.User{}, &refusal.Error{Object: fmt.Sprintf("writing below %q", m.Paths.State), Reason: account.ErrPrivilege}
	}
	user, err := account.Lookup("")
	if err != nil {
		return account.User{}, err
	}
	if name != "" && name != user.Name {
		// The same account may have other names; one that is not found is another one.
		if named, err := account.Lookup(name); err != nil || !named.Same(user) {
			return account.User{}, &refusal.Error{Object: fmt.Sprintf("running jobs as account %q", name), Reason: account.ErrPrivilege}
		}
	}
	return user, nil
}

// warnOfAccount says what of an account jobs will miss, or should not have.
func (p *planner) warnOfAccount() {
	if found, command := places.NoExecHome(p.JobUser); found != "" {
		p.plan.warn(found + "; to mend it: sudo " + command)
	}
	if p.JobUser.Planned() {
		return // it will be made as it should be
	}
	if p.JobUser.Doubt != nil {
		p.plan.warn(fmt.Sprintf("jobs may lack groups of account %q that only a directory knows: %v", p.plan.User, p.JobUser.Doubt))
	}
	if p.JobUser.OwnHome() == "" {
		p.maker.Log.Debug("the account has no home that it can write to: jobs have the runner's directory as HOME",
			"account", p.plan.User, "home", p.JobUser.Home)
	}
	for _, group := range p.JobUser.Powers() {
		if !p.Request.expects(group) {
			const text = "account %q is in group %q, whose members can %s, and so can every job"
			p.plan.warn(fmt.Sprintf(text, p.plan.User, group, account.Utmost))
		}
	}
}

// warnOfAllowed says what jobs are to have, and cannot: what this host keeps from their account is not for an install to give.
func warnOfAllowed(ctx context.Context, p *planner) {
	allow, name := p.Request.Life.Allow, p.plan.User
	if slices.Contains(allow, AllowSudo) {
		warnOfNoSudo(ctx, p)
	}
	if !slices.Contains(allow, AllowDocker) {
		return
	}
	switch member, exists := p.JobUser.Member(DockerGroup); {
	case !exists:
		p.plan.warn("jobs are to have Docker, and this host has no group docker: is Docker installed?")
	case !member && !p.JobUser.Planned(): // one that is created becomes a member
		p.plan.warn(fmt.Sprintf("jobs are to have Docker, and account %q is not in its group; to mend it: sudo usermod -aG %s %s",
			name, DockerGroup, name))
	}
}

// DockerGroup is the group whose members reach Docker's daemon.
const DockerGroup = "docker"

func checkBarrier(user account.User, root string) error {
	if dir := user.Barrier(root); dir != "" {
		return &refusal.Error{
			Object: fmt.Sprintf("account %q", user.Name), Reason: ErrUnreachable,
			Detail: fmt.Sprintf("it may not list %q", dir), Name: dir,
		}
	}
	return nil
}
