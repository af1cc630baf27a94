package bootstrap

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/refusal"
	"github.com/runner-bootstrap/runner-bootstrap/internal/sealcheck"
)

// SealRequest is what is wanted of a look at a host that becomes an image.
type SealRequest struct {
	// Fix removes what each machine makes again by itself; Identity also what tells machines apart.
	Fix, Identity bool
	// Except are patterns of paths that somebody has looked at.
	Except []string
}

// seal looks for what every machine made of this host's disk would share, and refuses the host if that is a runner or a secret. The
// report is there beside an [ErrNotClean] as well, unless there are runners.
func (h *Host) seal(ctx context.Context, r SealRequest) (*sealcheck.Report, error) {
	refused := refusal.Error{Object: "sealing this host", Reason: ErrNotClean}
	records, err := h.Store.List()
	if err != nil {
		return nil, err
	}
	if len(records) > 0 {
		names := make([]string, 0, len(records))
		for _, record := range records {
			names = append(names, record.Name)
		}
		refused.Name, refused.Detail = records[0].Name, "it has "+strings.Join(names, ", ")+", and each copy would be the same runner"
		return nil, &refused
	}
	// What an interrupted registration has left serves no more.
	if err := h.sweepRooms(ctx); err != nil {
		return nil, err
	}
	host := h.sealed(r.Except)
	report, err := host.Look(ctx)
	if err != nil {
		return nil, err
	}
	if r.Fix {
		removed, err := host.Fix(ctx, report, r.Identity)
		for _, path := range removed {
			h.Log.Info("removed what an image has no use for", "path", path)
		}
		if err != nil {
			return nil, err
		}
		if report, err = host.Look(ctx); err != nil {
			return nil, err
		}
		report.Removed = removed
	}
	if all := report.Refusing(); len(all) > 0 {
		refused.Detail = told(all)
		return &report, &refused
	}
	return &report, nil
}

// told names the first of them.
func told(all []sealcheck.Finding) string {
	const most = 5
	texts := make([]string, 0, most+1)
	for i, f := range all {
		if i == most {
			texts = append(texts, fmt.Sprintf("and %d more", len(all)-most))
			break
		}
		texts = append(texts, fmt.Sprintf("%s (%s)", f.Path, f.What))
	}
	return strings.Join(texts, ", ")
}

// sealed is what is looked at: the whole system, or where nothing but our own folder is ours, that. Of systems other than Linux
// it is what is ours, and where accounts have theirs.
func (h *Host) sealed(except []string) sealcheck.Host {
	host := sealcheck.Host{
		Runners: h.Paths.Runners, Except: except,
		Skip: map[string]string{
			h.Paths.Cache:   "the cache of runners, which are verified before use",
			h.Paths.Runners: "nothing may be in it, whatever it is",
		},
	}
	switch {
	case h.Private:
		host.Folders = []string{filepath.Dir(h.Paths.Config)}
	case runtime.GOOS == "linux":
		host.Folders, host.System = []string{"/"}, "/"
	default:
		host.Folders = []string{filepath.Dir(h.Paths.Config), h.Paths.State, "/etc", "/var/root", "/var/log", "/Users"}
	}
	return host
}
