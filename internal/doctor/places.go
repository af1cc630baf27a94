package doctor

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/places"
	"github.com/runner-bootstrap/runner-bootstrap/internal/shell"
)

// places makes the three checks of directories: room, files, and whether they can be written.
func (h Host) places(context.Context) []Finding {
	wanted := h.wanted()
	user, err := h.jobUser()
	if err != nil {
		user = account.User{UID: -1, GID: -1}
	}
	byCheck := map[string][]Finding{}
	for _, problem := range places.Examine(wanted, user) {
		check, fix := h.remedy(problem)
		byCheck[check] = append(byCheck[check], one(check, Failed, problem.Path, problem.Why(), fix)...)
	}
	for _, place := range wanted {
		if at := places.Unmounted(place.Path); at != "" {
			const found = "/etc/fstab has something for it that is not mounted, and would hide what is installed there"
			unmounted := one("directories", Warning, at, found, shell.Here().Mend(shell.Here().Do(shell.Mount, at)))
			byCheck["directories"] = append(byCheck["directories"], unmounted...)
		}
	}
	if found := places.Folded(h.Paths.Runners); found != "" {
		folded := one("directories", Warning, h.Paths.Runners, found, h.Again("--dir", "DIR"))
		byCheck["directories"] = append(byCheck["directories"], folded...)
	}
	var all []Finding
	for _, check := range []string{"disk", "inodes", "directories"} {
		if runtime.GOOS == "windows" && check == "inodes" {
			continue
		}
		if len(byCheck[check]) == 0 {
			byCheck[check] = one(check, OK, names(wanted), enough(check, wanted), "")
		}
		all = append(all, byCheck[check]...)
	}
	return all
}

// wanted is what the next install takes: nothing is fetched where a runner lies in the cache.
func (h Host) wanted() []places.Place {
	cached := h.cached()
	if len(cached) == 0 {
		return places.ForInstall(h.Paths, places.Usual(), false)
	}
	return places.ForInstall(h.Paths, places.Need{Bytes: cached[0].Bytes, Files: int64(cached[0].Files)}, true)
}

func names(all []places.Place) string {
	var paths []string
	for _, place := range all {
		paths = append(paths, place.Path)
	}
	return strings.Join(paths, ", ")
}

func enough(check string, all []places.Place) string {
	var need places.Need
	for _, place := range all {
		need.Bytes += place.Need.Bytes
		need.Files += place.Need.Files
	}
	switch check {
	case "disk":
		return fmt.Sprintf("room for the %d MB that an install may need", need.Bytes>>20)
	case "inodes":
		return fmt.Sprintf("room for the %d files of an install", need.Files)
	default:
		return "they can be written, or made"
	}
}

// takeOver gives a folder to the one who has started this.
func takeOver(path string) string {
	if user, err := account.Lookup(""); err == nil && runtime.GOOS == "windows" {
		return shell.Here().Do(shell.GiveFolder, user.Name, path)
	}
	return "sudo chown -R \"$(id -un)\" " + shell.Quote(path)
}

// remedy names the check that a problem belongs to, and a command.
func (h Host) remedy(e *places.Error) (check, fix string) {
	switch {
	case errors.Is(e, download.ErrSpace):
		return "disk", shell.Here().Do(shell.ShowSpace, e.Path)
	case errors.Is(e, places.ErrInodes):
		return "inodes", shell.Here().Do(shell.ShowFiles, e.Path)
	case errors.Is(e, places.ErrReadOnly):
		return "directories", shell.Here().Mend(places.RemountFix(e))
	case errors.Is(e, places.ErrNoExec):
		return "directories", shell.Here().Mend(places.RemountFix(e))
	case errors.Is(e, places.ErrSquashed), errors.Is(e, places.ErrPlace), errors.Is(e, places.ErrPlain),
		errors.Is(e, places.ErrNoStart), errors.Is(e, places.ErrLacking), errors.Is(e, places.ErrLinked):
		return "directories", h.Again("--dir", "DIR")
	case h.Private:
		return "directories", takeOver(e.Path)
	default:
		return "directories", h.asRoot()
	}
}
