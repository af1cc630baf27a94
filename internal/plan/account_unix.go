//go:build unix

package plan

import (
	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

// ownAccountOf is of no use here: see accountName.
func ownAccountOf(*planner) (name string, has bool) { return "", false }

// checkPassword does nothing: no service needs a password here.
func checkPassword(*planner) error { return nil }

// lifeOf is none: an agent of root's can be any account.
func lifeOf(instance.Record, account.User) svc.Life { return svc.Life{} }
