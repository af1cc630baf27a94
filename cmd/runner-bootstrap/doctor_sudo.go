package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/bootstrap"
	"github.com/runner-bootstrap/runner-bootstrap/internal/doctor"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/sudoers"
)

// examineSudo looks whether the jobs of this host's runners can use sudo, where they are to.
func examineSudo(ctx context.Context, host *bootstrap.Host) []doctor.Finding {
	records, err := host.Store.List()
	if err != nil {
		return nil // who cannot read them is told so by another check
	}
	var all []doctor.Finding
	for _, record := range records {
		if !slices.Contains(record.Allow, instance.AllowSudo) {
			continue
		}
		f := doctor.Finding{Check: "sudo", State: doctor.OK, Object: record.Name, Found: "its jobs may use sudo"}
		if record.SudoRule != "" {
			f.Found += ", by " + record.SudoRule
		}
		switch why, remedy := sudoers.Unheeded(); {
		case why != "":
			f.State, f.Found = doctor.Warning, "its jobs are to have sudo, and "+why+"; "+remedy
		case !account.Sudoer(ctx, record.User):
			f.State, f.Found = doctor.Warning, fmt.Sprintf("its jobs are to have sudo, and account %q may run nothing by it", record.User)
			if user, err := account.Lookup(record.User); err == nil {
				f.Fix = "sudo " + sudoers.Command(record.User, user.UID)
			}
		}
		all = append(all, f)
	}
	return all
}
