package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/acl"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/places"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/shell"
)

// given says what root does with a path that an option has, and so who may be able to
// change it.
type given int

const (
	// givenKept is where root comes back to: it executes and believes what is there.
	givenKept given = iota + 1
	// givenRead is what root believes in this call, and may be of the one who calls by sudo.
	givenRead
	// givenSecret is read as a secret and nothing else. It must not be the jobs'.
	givenSecret
	// givenFolder is a file that root writes, for others to read: its folder must not be the jobs'.
	givenFolder
)

// givenError is a path of an option that others can change.
type givenError struct {
	option, file string
	*places.GivenError
}

func (e *givenError) Error() string { return "--" + e.option + ": " + e.GivenError.Error() }

func (e *givenError) Unwrap() error { return e.GivenError }

// checkGiven refuses paths of options that this system cannot have and, as root, those that others could change: of the options
// that are named, or of all. What cloud-init is given is mostly of another host.
func (call *session) checkGiven(options []option, named ...string) error {
	if call.running.Name() == "cloud-init" {
		return nil
	}
	for _, o := range options {
		if o.name == "dir" && *o.text == "" && call.typed(o.name) {
			return usagef("--dir is empty: leave it out for the folders of the system") // as of a variable that is not set
		}
		if o.given == 0 || *o.text == "" || *o.text == "-" || len(named) > 0 && !slices.Contains(named, o.name) {
			continue
		}
		if err := checkSpelling(call, o); err != nil {
			return err
		}
		if !account.Privileged() {
			continue
		}
		if err := call.checkPath(o); err != nil {
			return err
		}
	}
	return nil
}

// checkSpelling refuses a path that something is to be written to and that this system cannot have, and devices from which nothing
// may ever come.
func checkSpelling(call *session, o option) error {
	s := on(call)
	why, hint := "", ""
	switch o.given {
	case givenKept:
		why, hint = places.Misnamed(*o.text), againWith(call, "--"+o.name, s.Elsewhere)
	case givenFolder:
		why, hint = places.Misnamed(*o.text), againWith(call, "--"+o.name, s.Metrics)
	case givenRead, givenSecret:
		why, hint = places.Device(*o.text), againWith(call, "--"+o.name, "FILE")
	}
	if why == "" && o.given != 0 {
		why = places.Unreplaced(*o.text)
	}
	if why == "" {
		return nil
	}
	return &usageError{text: fmt.Sprintf("--%s %s: %s", o.name, s.Quote(*o.text), why), hint: hint}
}

func (call *session) checkPath(o option) error {
	path, trust := *o.text, places.Trust{}
	switch o.given {
	case givenKept:
	case givenRead:
		trust = caller()
	case givenSecret:
		trust = call.anyoneButJobs()
	case givenFolder:
		path, trust = filepath.Dir(path), call.anyoneButJobs()
	}
	err := places.CheckGiven(path, trust)
	var others *places.GivenError
	if errors.As(err, &others) {
		return &givenError{o.name, *o.text, others}
	}
	return err
}

// caller trusts the one who has become root by sudo.
func caller() places.Trust {
	uid, uidErr := strconv.Atoi(os.Getenv("SUDO_UID"))
	gid, gidErr := strconv.Atoi(os.Getenv("SUDO_GID"))
	if uidErr != nil || gidErr != nil {
		return places.Trust{}
	}
	return places.Trust{UIDs: []int{uid}, GIDs: []int{gid}}
}

// anyoneButJobs trusts everybody but the accounts that run jobs here, or will.
func (call *session) anyoneButJobs() places.Trust {
	trust := places.Trust{Others: true}
	names := []string{firstOf(optionsOf[accountOptions](call).user, plan.DefaultUser)}
	if dir, err := optionsOf[placeOptions](call).absolute(); err == nil {
		// Records that cannot be read are told by the one who needs them.
		records, _ := instance.NewStore(instance.DefaultPaths(dir).State).List() //nolint:errcheck // see above
		for _, record := range records {
			names = append(names, record.User)
		}
	}
	for _, name := range names {
		if user, err := account.Lookup(name); err == nil && user.UID > 0 { // else it owns nothing yet
			trust.JobUIDs, trust.JobGroups = append(trust.JobUIDs, user.UID), append(trust.JobGroups, user.Groups...)
		}
	}
	return trust
}

// hintGiven lets nobody but root change what was given, or puts it where nobody can.
func hintGiven(call *session, err error) string {
	var path *places.GivenError
	var option *givenError
	s := on(call)
	switch {
	case !errors.As(err, &path):
		return "runner-bootstrap doctor"
	case errors.As(err, &option) && option.option == "metrics-file":
		return rooted(call, againWith(call, "--metrics-file", s.Metrics))
	case path.Command != "":
		return s.Mend(path.Command)
	case option == nil:
		// The program itself.
		rest, _ := strings.CutPrefix(again(call, call.arguments), programName)
		return s.Both(s.Do(shell.PutProgram, path.Path), s.Mend(s.Quote(filepath.Join(s.Programs, programName))+rest))
	case option.option == "dir" && firstOf(call.arguments...) == "install":
		return rooted(call, againWith(call, "--dir", s.Elsewhere))
	case option.option == "dir":
		return s.Do(shell.ShowWay, option.file)
	}
	mode := "600"
	if option.option == "ca-file" {
		mode = "644"
	}
	ours := filepath.Join(s.Settings, filepath.Base(option.file))
	if s.Do(shell.PutFile) == "" {
		return s.Do(shell.CloseFile, option.file)
	}
	return s.Both(s.Do(shell.PutFile, mode, option.file, ours), rooted(call, againWith(call, "--"+option.option, ours)))
}

// hintOpen keeps others out of a folder of Windows.
func hintOpen(_ *session, err error) string {
	var open *acl.OpenError
	if !errors.As(err, &open) {
		return "runner-bootstrap doctor"
	}
	return open.Command()
}
