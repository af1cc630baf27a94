package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/places"
	"github.com/runner-bootstrap/runner-bootstrap/internal/shell"
)

// hintCertificate names another file, or leaves a variable out: --ca-file takes the
// place of SSL_CERT_FILE alone, and neither that of what --env says.
func hintCertificate(call *session, err error) string {
	text := err.Error()
	for _, name := range []string{"SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS"} {
		switch {
		case !strings.Contains(text, "("+name+")"):
		case slices.ContainsFunc(optionsOf[registrationOptions](call).env, func(v string) bool { return strings.HasPrefix(v, name+"=") }):
			return again(call, call.arguments) // with VALUE in the place of what was wrong
		case name != "SSL_CERT_FILE":
			return unset(call, name)
		}
	}
	return againWith(call, "--ca-file", "FILE")
}

// hintTrust puts certificates where jobs can read them. They are no secret; the folder
// that they lie in may hold some.
func hintTrust(call *session, err error) string {
	from := refusalOf(err).Name
	s := on(call)
	to := filepath.Join(s.Settings, filepath.Base(from))
	if s.Do(shell.PutFile) == "" {
		return s.Do(shell.ShowFile, from)
	}
	if info, err := os.Stat(from); err == nil && info.IsDir() {
		return on(call).Words("sudo", "sh", "-c", `install -d -m 755 "$1" && install -m 644 "$0"/* "$1"`, from, to) +
			" && SSL_CERT_DIR=" + on(call).Words(to) + " " + again(call, call.arguments)
	}
	return s.Both(s.Do(shell.PutFile, "644", from, to), againWith(call, "--ca-file", to))
}

// hintPrivateTemp puts a file where a service finds it.
func hintPrivateTemp(call *session, err error) string {
	file, s := refusalOf(err).Name, on(call)
	return s.Do(shell.PutFile, "600", file, filepath.Join(s.Settings, filepath.Base(file)))
}

// hintLinked keeps everything where --dir leads to, if that is a link, or in a place of its own. What is there already is
// moved by nobody but its owner, who sees the way to it.
func hintLinked(call *session, err error) string {
	if dir, absErr := optionsOf[placeOptions](call).absolute(); absErr == nil && dir != "" {
		if target, linkErr := filepath.EvalSymlinks(dir); linkErr == nil && target != dir {
			return againWith(call, "--dir", target)
		}
	}
	var place *places.Error
	if verb := firstOf(call.arguments...); verb != "install" && verb != "prepare" && errors.As(err, &place) {
		return on(call).Do(shell.ShowWay, place.Path)
	}
	return rooted(call, againWith(call, "--dir", on(call).Elsewhere))
}
