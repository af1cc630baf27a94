package account

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

// lookup asks the system, but for what follows from the name alone: services are installed where no name service answers
// yet, and the names of well-known accounts differ by the language of the system.
func lookup(name string) (User, error) {
	self, err := ofThisProcess()
	if err != nil || name == "" || strings.EqualFold(name, self.Name) || strings.EqualFold(name, self.SID) {
		return self, err
	}
	sid, called, known := wellKnown(name)
	if !known {
		if sid, called, err = ask(name); err != nil {
			return User{}, err
		}
	}
	if strings.EqualFold(sid, self.SID) {
		return self, nil
	}
	return User{Name: called, UID: -1, GID: -1, SID: sid, Home: profileOf(sid)}, nil
}

// ofThisProcess is the account in the token of this process, whether anybody knows its name or not.
func ofThisProcess() (User, error) {
	token := windows.GetCurrentProcessToken()
	of, err := token.GetTokenUser()
	if err != nil {
		return User{}, fmt.Errorf("%w: reading who this process is: %w", ErrUnanswered, err)
	}
	sid := of.User.Sid.String()
	u := User{Name: nameOf(of.User.Sid), UID: -1, GID: -1, SID: sid, Home: profileOf(sid), Self: true}
	if home, err := token.GetUserProfileDirectory(); err == nil {
		u.Home = home
	}
	return u, nil
}

// nameOf is what an account is called: the SID where nobody knows a name for it.
func nameOf(sid *windows.SID) string {
	if name := builtIn()[sid.String()]; name != "" {
		return name
	}
	account, domain, _, err := sid.LookupAccount("")
	switch {
	case err != nil:
		return sid.String()
	case domain == "":
		return account
	default:
		return domain + `\` + account
	}
}

// ask finds an account by a name, or by its SID.
func ask(name string) (sid, called string, err error) {
	if strings.ContainsAny(name, "\x00\n") || strings.HasPrefix(strings.ToUpper(name), ofServices) {
		return "", "", fmt.Errorf("%w: no account has such a name", ErrAbsent)
	}
	if given, err := windows.StringToSid(name); err == nil && strings.HasPrefix(strings.ToUpper(name), "S-") {
		account, domain, use, err := given.LookupAccount("")
		if err != nil {
			return "", "", unknown(err)
		}
		return given.String(), domain + `\` + account, person(use)
	}
	var failed error
	for _, spelled := range spellings(name) {
		found, _, use, err := windows.LookupSID("", spelled)
		if err == nil {
			if err = person(use); err == nil || builtIn()[found.String()] != "" {
				return found.String(), nameOf(found), nil
			}
		}
		failed = errors.Join(failed, err)
	}
	return "", "", unknown(failed)
}

// spellings are the names to look for, in this order. A bare one is first one of this host's: the host, or a domain, may be
// called the same.
func spellings(name string) []string {
	host, err := os.Hostname()
	bare, local := strings.CutPrefix(name, `.\`)
	switch {
	case err != nil:
		return []string{bare}
	case local:
		return []string{host + `\` + bare}
	case strings.ContainsAny(name, `\@`):
		return []string{name}
	default:
		return []string{host + `\` + name, name}
	}
}

// person refuses what is no account but has a name like one.
func person(use uint32) error {
	if use != windows.SidTypeUser {
		return fmt.Errorf("%w: it is a group, a domain or a host", ErrAbsent)
	}
	return nil
}

// unknown tells what has no name from what could not be asked for.
func unknown(err error) error {
	switch {
	case errors.Is(err, ErrAbsent):
		return err
	case errors.Is(err, windows.ERROR_NONE_MAPPED), errors.Is(err, windows.ERROR_NO_SUCH_USER), errors.Is(err, windows.ERROR_INVALID_NAME),
		errors.Is(err, windows.ERROR_INVALID_PARAMETER), errors.Is(err, windows.ERROR_NO_SUCH_DOMAIN):
		return ErrAbsent
	default:
		return fmt.Errorf("%w: %w", ErrUnanswered, err)
	}
}

// profiles is where the registry has the profiles of this host's accounts.
const profiles = `SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList`

// profileOf is where an account has its profile; empty where it has none yet, as before its first logon.
func profileOf(sid string) (path string) {
	readStrings(registry.LOCAL_MACHINE, profiles+`\`+sid, func(name, text string) {
		if strings.EqualFold(name, "ProfileImagePath") {
			path = machineEnvironment().expand(text)
		}
	})
	return path
}

// StartName is what the service manager of Windows calls the account.
func (u User) StartName() string {
	host, err := os.Hostname()
	if domain, name, found := strings.Cut(u.Name, `\`); err == nil && found && strings.EqualFold(domain, host) {
		return `.\` + name // it lasts when the host gets another name
	}
	return u.Name
}
