package doctor

import (
	"context"
	"fmt"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/shell"
)

// files compares the cache with what was verified when it was filled, and the runners whose files are root's with the cache.
// An administrator who gives such a runner's files to somebody gives them the cache's: they are the same.
func files(ctx context.Context, h Host) []Finding {
	const check = "files"
	var all []Finding
	var sound []string
	entries := h.cached()
	for _, entry := range entries {
		if err := entry.Verify(ctx); err != nil {
			fix := shell.Here().Mend(shell.Here().Do(shell.RemoveFolder, entry.Dir))
			all = append(all, one(check, Failed, entry.Dir, err.Error(), fix)...)
			continue
		}
		sound = append(sound, entry.Dir)
	}
	records, err := instance.NewStore(h.Paths.State).List()
	if err != nil {
		all = append(all, one(check, Warning, h.Paths.State, err.Error(), h.asRoot())...)
	}
	for _, record := range records {
		entry, found := entryOf(record, entries)
		if !record.Rooted() || !found {
			continue
		}
		if err := entry.Compare(ctx, record.Dir); err != nil {
			// It is made again before its next registration, by what the cache has then.
			all = append(all, one(check, Failed, record.Dir, err.Error(), "runner-bootstrap drain --name "+shell.Quote(record.Name))...)
			continue
		}
		sound = append(sound, record.Dir)
	}
	switch {
	case len(all) > 0:
		return all
	case len(sound) == 0:
		return skipped(check, "none is unpacked on this host yet")
	}
	return one(check, OK, strings.Join(sound, ", "), fmt.Sprintf("what was verified, in %d places", len(sound)), "")
}

// entryOf finds what a runner was made of.
func entryOf(record instance.Record, entries []download.Entry) (download.Entry, bool) {
	for _, entry := range entries {
		if entry.SHA256 == record.SHA256 {
			return entry, true
		}
	}
	return download.Entry{}, false
}
