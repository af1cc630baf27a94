package account

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// parseAccount reads a line of passwd(5). Lines that stand for other ones (of NIS) and
// those that name no account are errors.
func parseAccount(line string) (User, error) {
	fields := strings.Split(strings.TrimRight(line, "\r\n"), ":")
	if len(fields) != 7 || fields[0] == "" || strings.HasPrefix(fields[0], "#") {
		return User{}, fmt.Errorf("%d fields are no account", len(fields))
	}
	uid, err := parseID(fields[2])
	if err != nil {
		return User{}, fmt.Errorf("reading the uid of account %q: %w", fields[0], err)
	}
	gid, err := parseID(fields[3])
	if err != nil {
		return User{}, fmt.Errorf("reading the gid of account %q: %w", fields[0], err)
	}
	return User{Name: fields[0], UID: uid, GID: gid, Home: fields[5]}, nil
}

// parseID reads the number of an account or a group. The highest is none: the kernel
// reads it as "leave it as it is".
func parseID(text string) (int, error) {
	id, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return 0, err
	}
	if id == math.MaxUint32 || id > math.MaxInt {
		return 0, fmt.Errorf("%s is the number of nobody", text)
	}
	return int(id), nil
}

// parseIDs reads the answer of id -G: numbers with blanks between them.
func parseIDs(text string) ([]int, error) {
	var ids []int
	for _, word := range strings.Fields(text) {
		id, err := parseID(word)
		if err != nil {
			return nil, fmt.Errorf("reading group %q: %w", word, err)
		}
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("there are no groups in %q", text)
	}
	return ids, nil
}

// withPrimary are the groups with the primary one first, each once.
func withPrimary(groups []int, primary int) []int {
	all := []int{primary}
	for _, gid := range groups {
		if !slices.Contains(all, gid) {
			all = append(all, gid)
		}
	}
	return all
}
