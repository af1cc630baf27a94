package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/openfile"
	"github.com/runner-bootstrap/runner-bootstrap/internal/shell"
	"github.com/runner-bootstrap/runner-bootstrap/internal/transport"
)

// networkOptions say how the network is reached.
type networkOptions struct {
	proxy   string
	noProxy string
	caFile  string
}

func (o *networkOptions) options() []option {
	return []option{
		{
			name: "proxy", value: "URL", commands: credentialCommands,
			usage: "HTTP proxy for everything, also for the runner and its jobs; instead of the variable https_proxy",
			text:  &o.proxy,
		},
		{
			name: "no-proxy", value: "HOST,HOST", commands: credentialCommands,
			usage: "hosts that are reached without the proxy; instead of the variable no_proxy",
			text:  &o.noProxy,
		},
		{
			name: "ca-file", value: "FILE", given: givenRead, commands: credentialCommands,
			usage: "file of certificate authorities (PEM) to trust in addition to the system's, also for the runner and its jobs",
			text:  &o.caFile,
		},
	}
}

// apply turns the options about the network into the variables that everybody
// reads: our own clients, config.sh, the runner. It returns the authorities to
// trust, nil for the system's.
func (o *networkOptions) apply() (*x509.CertPool, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.proxy != "" {
		if err := setVariables(o.proxy, "http_proxy", "https_proxy"); err != nil {
			return nil, err
		}
	}
	if o.noProxy != "" {
		if err := setVariables(o.noProxy, "no_proxy"); err != nil {
			return nil, err
		}
	}
	if err := settleProxies(); err != nil {
		return nil, err
	}
	if o.caFile == "" {
		return nil, nil
	}
	return o.authorities()
}

// check refuses what says no way to the network, on whatever host.
func (o *networkOptions) check() error {
	if o.proxy != "" {
		if err := checkProxy(o.proxy); err != nil {
			return err
		}
	}
	if o.noProxy != "" {
		if _, err := transport.ProxyExceptions("--no-proxy", o.noProxy); err != nil {
			return usagef("%v", err)
		}
	}
	return nil
}

func checkProxy(raw string) error {
	u, err := transport.ProxyURL("--proxy", raw)
	switch {
	case err != nil:
		return usagef("%v", err)
	case u.User != nil:
		return &usageError{
			text: "--proxy: a password among the arguments can be read by every account of this host",
			hint: underSudo("runner-bootstrap install --url URL --token-file FILE", "https_proxy"),
		}
	}
	return nil
}

// settleProxies gives the variables of proxies a form that is understood alike by all who read them, in both cases: each
// reader has its own idea which of them counts.
func settleProxies() error {
	variables, err := transport.ProxyVariables(os.Getenv)
	if err != nil {
		return usagef("environment variable %v", err)
	}
	for name, value := range variables {
		if err := setVariables(value, name, strings.ToUpper(name)); err != nil {
			return err
		}
	}
	return nil
}

// setVariables sets variables in the form that counts: the lower case wins
// everywhere.
func setVariables(value string, names ...string) error {
	for _, name := range names {
		if err := os.Setenv(name, value); err != nil {
			return usagef("setting %s: %v", name, err)
		}
	}
	return nil
}

// maxAuthorities is many times what a system trusts.
const maxAuthorities = 16 << 20

// authorities adds those of --ca-file to the system's, and tells the runner of
// them: .NET and Node.js each read a variable of their own.
func (o *networkOptions) authorities() (*x509.CertPool, error) {
	path, err := filepath.Abs(o.caFile)
	if err != nil {
		return nil, usagef("--ca-file: %v", err)
	}
	// Of a pipe, jobs could read nothing later.
	text, err := openfile.Read(path, maxAuthorities)
	if errors.Is(err, openfile.ErrNotRegular) {
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			return nil, usagef("--ca-file: %q is a directory, which the variable SSL_CERT_DIR takes", path)
		}
		return nil, usagef("--ca-file: %q is no file", path)
	}
	if err != nil {
		return nil, unread(err, "--ca-file: %v", err)
	}
	if _, err := x509.ParseCertificate(text); err == nil {
		return nil, &usageError{
			text: fmt.Sprintf("--ca-file: %q holds a certificate in DER, and PEM is needed", path),
			hint: shell.Here().Do(shell.Certificate, path, path+".pem"),
		}
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, usagef("--ca-file: %q holds no certificate in PEM", path)
	}
	return pool, setVariables(path, "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS")
}

// passedOn is what the runner needs of our environment: how to reach the
// network and whom to trust there.
func passedOn() []string {
	var variables []string
	for _, name := range []string{"http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS"} {
		value := os.Getenv(name)
		if value == "" {
			value = os.Getenv(strings.ToUpper(name))
		}
		switch {
		case name == "NODE_EXTRA_CA_CERTS" && value == "":
			value = os.Getenv("SSL_CERT_FILE") // or the actions would not trust whom the runner does
			fallthrough
		case strings.HasPrefix(name, "SSL_CERT_"), name == "NODE_EXTRA_CA_CERTS":
			value = absolutePaths(value)
		}
		if value != "" {
			variables = append(variables, name+"="+value)
		}
	}
	return variables
}

// absolutePaths makes the paths of a list absolute: the runner works elsewhere.
func absolutePaths(list string) string {
	var paths []string
	for _, path := range filepath.SplitList(list) {
		if absolute, err := filepath.Abs(path); err == nil && path != "" {
			path = absolute
		}
		paths = append(paths, path) // one that cannot be made absolute is refused by the plan
	}
	return strings.Join(paths, string(filepath.ListSeparator))
}
