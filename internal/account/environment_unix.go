//go:build unix

package account

import "os"

// searchPath is what every runner starts with. The PATH of the one who installs is
// no guide: in cloud-init it is nearly empty, under sudo it is root's.
const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// SearchPath is the PATH that [User.Environment] sets.
func SearchPath() string { return searchPath }

// Environment is what a program of this account starts with: where to find
// programs, who and where it is, and extra on top ("KEY=VALUE"). Nothing of
// our own environment is in it. HOME is dir where the account has no home of
// its own, as jobs break without one.
func (u User) Environment(dir string, extra ...string) []string {
	home := u.Home
	if info, err := os.Stat(home); err != nil || !info.IsDir() {
		home = dir
	}
	environment := []string{
		"PATH=" + searchPath,
		"HOME=" + home,
		"USER=" + u.Name,
		"LOGNAME=" + u.Name,
		"LANG=C.UTF-8",
	}
	return append(environment, extra...)
}
