// Package trust tells whether certificates are of use to the jobs of a runner: those that its environment names, as authorities to trust.
package trust

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/folders"
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

// Why certificates are refused.
var (
	ErrNoCertificate = errors.New("these are no certificates to trust")
	ErrUnreadable    = errors.New("jobs cannot read these certificates")
)

// Jobs are the jobs of a runner, who trust whom its environment says.
type Jobs struct {
	User account.User
	// Account is what User is called, also where it is not made yet.
	Account string
	// Hidden gives the reason why jobs do not see a path that is there, or nil where they do; it may be nil itself.
	Hidden func(path string) error
}

// Check refuses, by a [*refusal.Error], certificates that the listener or its jobs could not use: they would fail much later,
// and would not say why. Variables are written "NAME=value", and the last one of a name counts, as in .env. What is on a file
// system that does not answer is [folders.ErrSilent], after a few seconds.
func (j Jobs) Check(variables []string) error {
	named := map[string]string{}
	for _, variable := range variables {
		name, value, _ := strings.Cut(variable, "=")
		named[name] = value
	}
	for _, name := range []string{trustFile, trustOfNode} {
		if file := named[name]; file != "" {
			if err := j.check(name, file, holdsCertificate); err != nil {
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
		refused := refuse(trustFolder, folder)
		refused.Reason, refused.Detail = ErrNoCertificate, "the runner reads one folder alone, and these are several"
		return refused
	}
	return j.check(trustFolder, folder, j.folderHoldsCertificate)
}

func refuse(variable, path string) *refusal.Error {
	return &refusal.Error{Object: fmt.Sprintf("trusting %q (%s)", path, variable), Name: path}
}

// check refuses what a variable names, unless it holds certificates that jobs can read.
func (j Jobs) check(variable, path string, holds func(path string) error) error {
	refused := refuse(variable, path)
	if !filepath.IsAbs(path) {
		refused.Reason, refused.Detail = ErrNoCertificate, "not an absolute path, and the runner works in another directory"
		return refused
	}
	found, answered := folders.Soon(func() (found *refusal.Error) { return j.look(path, holds) }, func(*refusal.Error) {})
	switch {
	case !answered:
		return fmt.Errorf("%s: %w", refused.Object, folders.ErrSilent)
	case found != nil:
		refused.Reason, refused.Detail = found.Reason, found.Detail
	default:
		return nil
	}
	return refused
}

// look says what is wrong with a path; nil if nothing is.
func (j Jobs) look(path string, holds func(path string) error) *refusal.Error {
	if err := holds(path); err != nil {
		return &refusal.Error{Reason: ErrNoCertificate, Detail: err.Error()}
	}
	if barrier := j.User.Unreadable(path); barrier != "" {
		return &refusal.Error{Reason: ErrUnreadable, Detail: fmt.Sprintf("account %q may not read %q", j.Account, barrier)}
	}
	if j.Hidden == nil {
		return nil
	}
	if err := j.Hidden(path); err != nil {
		return &refusal.Error{Reason: ErrUnreadable, Detail: err.Error()}
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
func (j Jobs) folderHoldsCertificate(path string) error {
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
		barrier := j.User.Unreadable(file)
		if barrier == "" || barrier != file {
			return nil // what bars the folder itself is found by itself
		}
		found = fmt.Sprintf("account %q may not read %q", j.User.Name, file)
	}
	return errors.New(found)
}
