package unpack

import (
	"crypto/rand"
	"path/filepath"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/acl"
)

// makeStaging makes the root of a tree with the list that it is to have, under a name that nothing has: what is made in it is
// then whose it has to be.
func makeStaging(dir, prefix string, owner Owner) (string, error) {
	path := filepath.Join(dir, prefix+strings.ToLower(rand.Text()[:10]))
	switch {
	case owner.Keep || owner.SID == "":
		return path, acl.MakePrivate(path)
	case owner.Sticky:
		return path, acl.Make(path, acl.Shared(owner.SID))
	default:
		return path, acl.Make(path, acl.Given(owner.SID))
	}
}
