package terminal

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestBar: no rate is told before there is one, what was there before counts for none, and a narrow terminal has less.
func TestBar(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		done, total, moved int64
		took               time.Duration
		columns            int
		want               string
	}{
		"the first frame":        {32e3, 100e6, 32e3, time.Microsecond, 79, "fetch   0% |                    | (0.0/100.0 MB)"},
		"the first, resumed":     {50e6, 100e6, 0, 0, 79, "fetch  50% |##########          | (50.0/100.0 MB)"},
		"soon":                   {10e6, 100e6, 10e6, time.Second / 2, 79, "fetch  10% |##                  | (10.0/100.0 MB)"},
		"later":                  {10e6, 100e6, 10e6, 10 * time.Second, 79, "fetch  10% |##                  | (10.0/100.0 MB, 1.0 MB/s, 1m30s left)"},
		"later, resumed":         {60e6, 100e6, 10e6, 10 * time.Second, 79, "fetch  60% |############        | (60.0/100.0 MB, 1.0 MB/s, 40s left)"},
		"stalled":                {50e6, 100e6, 0, 10 * time.Second, 79, "fetch  50% |##########          | (50.0/100.0 MB)"},
		"narrow":                 {10e6, 100e6, 10e6, 10 * time.Second, 39, " 10% |      | (10.0/100.0 MB, 1.0 MB/s)"},
		"very narrow":            {10e6, 100e6, 10e6, 10 * time.Second, 19, " 10% (10.0/100.0 MB"},
		"no total":               {10e6, 0, 10e6, 10 * time.Second, 79, "fetch (10.0 MB, 1.0 MB/s)"},
		"no total, narrow":       {10e6, 0, 10e6, 10 * time.Second, 19, "(10.0 MB, 1.0 MB/s)"},
		"no room":                {10e6, 100e6, 10e6, 0, 0, ""},
		"more than was foretold": {110e6, 100e6, 110e6, 0, 79, "fetch 100% |####################| (110.0/100.0 MB)"},
		"more, very narrow":      {110e6, 100e6, 110e6, 0, 19, "100% (110.0/100.0 M"},
	} {
		if got := barLine("fetch", amounts{c.done, c.total, c.moved, c.took}, c.columns); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// What an interrupted run had received counts for no rate, nor does what came before a server began again.
func TestBarShows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		bar := Bar{Out: &out}
		for _, done := range []int64{50e6, 55e6, 60e6, 10e6, 12e6, 14e6} {
			bar.Show("fetch", done, 100e6)
			time.Sleep(time.Second)
		}
		bar.Clear()
		bar.Clear()
		lines := strings.Split(strings.TrimSuffix(strings.TrimPrefix(out.String(), "\r"), "\r"), "\r")
		for i, want := range []string{
			"50.0/100.0 MB)", "55.0/100.0 MB, 5.0 MB/s, 9s left)", "60.0/100.0 MB, 5.0 MB/s, 8s left)", "10.0/100.0 MB)",
			"12.0/100.0 MB, 2.0 MB/s, 44s left)", "14.0/100.0 MB, 2.0 MB/s, 43s left)", "",
		} {
			if i >= len(lines) || !strings.HasSuffix(strings.TrimRight(lines[i], " "), want) || len(lines[i]) > 79 {
				t.Fatalf("line %d is not %q: %q", i, want, lines)
			}
		}
	})
}
