//go:build !linux && !windows

package account

import (
	"errors"
	"os"
	"os/user"
	"strconv"
)

// lookup asks the system's own library, which knows the accounts of directories as
// well.
func lookup(name string) (User, error) {
	found, err := find(name)
	var unknown user.UnknownUserError
	var nameless user.UnknownUserIdError
	switch {
	case errors.As(err, &nameless) && name == "":
		return selfWithoutName()
	case errors.As(err, &unknown), errors.As(err, &nameless):
		return User{}, ErrAbsent
	case err != nil:
		return User{}, err
	}
	u := User{Name: found.Username, Home: found.HomeDir, UID: -1, GID: -1}
	if uid, err := strconv.Atoi(found.Uid); err == nil {
		u.UID = uid
	}
	if gid, err := strconv.Atoi(found.Gid); err == nil {
		u.GID = gid
	}
	u.Self = u.UID == os.Geteuid()
	ids, err := found.GroupIds()
	if err != nil {
		return User{}, err
	}
	for _, id := range ids {
		if gid, err := strconv.Atoi(id); err == nil {
			u.Groups = append(u.Groups, gid)
		}
	}
	return u, nil
}

// selfWithoutName is the account of this process where its number has no name: that is its name then, and it has no home.
func selfWithoutName() (User, error) {
	groups, err := os.Getgroups()
	if err != nil {
		return User{}, err
	}
	return User{Name: strconv.Itoa(os.Geteuid()), UID: os.Geteuid(), GID: os.Getegid(), Groups: groups, Self: true}, nil
}

func find(name string) (*user.User, error) {
	if name == "" {
		return user.Current()
	}
	return user.Lookup(name)
}
