package plan

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/openfile"
	"github.com/runner-bootstrap/runner-bootstrap/internal/refusal"
)

// The variables that say whom to trust.
const (
	trustFile   = "SSL_CERT_FILE"
	trustFolder = "SSL_CERT_DIR"
	trustOfNode = "NODE_EXTRA_CA_CERTS"
)

// maxBundle is far beyond any list of authorities.
const maxBundle = 16 << 20

// checkTrust refuses certificates that the listener or its jobs could not use: they
// would fail much later, and would not say why.
func (p *planner) checkTrust(context.Context) error {
	kept, err := keptVariables(p)
	if err != nil {
		return err
	}
	named := map[string]string{}
	for _, variable := range p.variables(kept) {
		name, value, _ := strings.Cut(variable, "=")
		named[name] = value // the last one counts, as in .env
	}
	jobs := trusting{user: p.JobUser, account: p.plan.User, privateTemp: p.privateTemp()}
	for _, name := range []string{trustFile, trustOfNode} {
		if file := named[name]; file != "" {
			if err := jobs.check(name, file, holdsCertificate); err != nil {
				return err
			}
		}
	}
	folder := named[trustFolder]
	if folder == "" {
		return nil
	}
	// OpenSSL and Go take a list, and so does .NET from version 9 on; GitHub's runner brings .NET 8, which would look for
	// one folder of that whole name and trust nobody.
	if len(filepath.SplitList(folder)) > 1 {
		return &refusal.Error{
			Object: fmt.Sprintf("trusting %q (%s)", folder, trustFolder), Reason: ErrNoCertificate, Name: folder,
			Detail: "the runner reads one folder alone, and these are several",
		}
	}
	holds := func(path string) error { return folderHoldsCertificate(path, p.JobUser) }
	return jobs.check(trustFolder, folder, holds)
}

// trusting is who has to be able to read certificates: the jobs of a runner.
type trusting struct {
	user        account.User
	account     string // as the plan calls it
	privateTemp bool   // their service does not see the host's temporary folders
}

// check refuses what a variable names, unless it holds certificates that they can read.
func (t trusting) check(name, path string, holds func(path string) error) error {
	refused := &refusal.Error{Object: fmt.Sprintf("trusting %q (%s)", path, name), Name: path}
	if !filepath.IsAbs(path) {
		refused.Reason, refused.Detail = ErrNoCertificate, "not an absolute path, and the runner works in another directory"
		return refused
	}
	if err := holds(path); err != nil {
		refused.Reason, refused.Detail = ErrNoCertificate, err.Error()
		return refused
	}
	if barrier := t.user.Unreadable(path); barrier != "" {
		refused.Reason = ErrUnreadable
		refused.Detail = fmt.Sprintf("account %q may not read %q", t.account, barrier)
		return refused
	}
	if t.privateTemp && temporary(path) {
		refused.Reason, refused.Detail = ErrUnreadable, ErrPrivateTemp.Error()
		return refused
	}
	return nil
}

// errNoPEM is a file without what is looked for in it.
var errNoPEM = errors.New("it holds no certificate in PEM")

func holdsCertificate(path string) error {
	file, err := openfile.Open(path)
	if errors.Is(err, openfile.ErrNotRegular) {
		return openfile.ErrNotRegular // who asks names it
	}
	if err != nil {
		return err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxBundle))
	if err != nil {
		return err
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return errors.New("it is empty")
	}
	if !hasCertificate(text) {
		return errNoPEM
	}
	return nil
}

func hasCertificate(text []byte) bool {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		if _, err := x509.ParseCertificate(block.Bytes); err == nil {
			return true
		}
	}
	return false
}

// folderHoldsCertificate looks at the files of a folder as those who trust it do:
// all of them, whatever their names, that the account can read.
func folderHoldsCertificate(path string, user account.User) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	found := "no file in it holds a certificate in PEM"
	for _, entry := range entries {
		file := filepath.Join(path, entry.Name())
		if holdsCertificate(file) != nil {
			continue
		}
		barrier := user.Unreadable(file)
		if barrier == "" || barrier != file {
			return nil // what bars the folder itself is found by itself
		}
		found = fmt.Sprintf("account %q may not read %q", user.Name, file)
	}
	return errors.New(found)
}
