package transfer

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"testing"
)

func TestContentRange(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		from, to, total int64
		ok              bool
	}{
		"bytes 0-0/1":  {0, 1, 1, true},
		"bytes 5-9/10": {5, 10, 10, true},
		"bytes 5-9/*":  {5, 10, -1, true},
		"bytes 999999999999999998-999999999999999998/999999999999999999": {999999999999999998, 999999999999999999, 999999999999999999, true},
		"":                               {},
		"bytes */10":                     {},
		"bytes 9-5/10":                   {from: 9, to: 6, total: 10},
		"bytes 5-10/10":                  {5, 11, -1, true},
		"bytes -5-9/10":                  {},
		"bytes 5-9":                      {},
		"items 5-9/10":                   {},
		"bytes 5-9/10 ":                  {},
		"bytes 5-9/99999999999999999999": {},
	} {
		from, to, total, ok := contentRange(text)
		if from != want.from || to != want.to || total != want.total || ok != want.ok {
			t.Errorf("%q: %d to %d of %d, %t, want %v", text, from, to, total, ok, want)
		}
	}
}

// beats tells a tuner what each beat brings, for a reader that starves until a beat,
// and returns at which beats it adds a connection.
func beats(t *tuner, count, starves int, rate func(connections, beat int) int64) (added []int) {
	var bytes int64
	for n, connections := 0, 1; n < count; n++ {
		t.see(bytes)
		t.judge(n < starves)
		if n < starves && connections < maxConnections && t.more() {
			t.added()
			connections++
			added = append(added, n)
		}
		bytes += rate(connections, n)
	}
	return added
}

func TestTuner(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		rate    func(connections, beat int) int64
		starves int // until this beat; 0: always
		added   []int
		useless bool
	}{
		{name: "each brings as much", rate: func(n, _ int) int64 { return int64(n) * 1000 }, added: []int{2, 3, 5, 6, 7, 8, 10}},
		{name: "each brings a little", rate: func(n, _ int) int64 { return 1000 + int64(n)*100 }, added: []int{2, 3, 7, 8, 9, 10, 14}},
		{name: "one was enough", rate: func(n, _ int) int64 { return int64(n) * 1000 }, starves: 3, added: []int{2}},
		{name: "none was needed", rate: func(_, _ int) int64 { return 1000 }, starves: 3, added: []int{2}, useless: true},
		{name: "two were not needed", rate: func(_, _ int) int64 { return 1000 }, starves: 4, added: []int{2, 3}, useless: true},
		{name: "none brings anything", rate: func(_, _ int) int64 { return 1000 }, added: []int{2, 3}, useless: true},
		{name: "they bring next to nothing", rate: func(n, _ int) int64 { return 1000 + int64(n)*40 }, added: []int{2, 3}, useless: true},
		{name: "two are enough", rate: func(n, _ int) int64 { return min(int64(n), 2) * 1000 }, added: []int{2, 3, 5, 6, 7, 8}, useless: true},
		{name: "they would bring more later", rate: func(n, beat int) int64 { return 1000 + int64(beat/20*n)*1000 }, added: []int{2, 3}, useless: true},
		{name: "nothing comes", rate: func(_, _ int) int64 { return 0 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			tuner := tuner{size: firstTrial}
			added := beats(&tuner, 40, cmp.Or(c.starves, 40), c.rate)
			if !slices.Equal(added, c.added) || tuner.useless != c.useless {
				t.Errorf("it adds at the beats %v, useless %t, want %v, %t", added, tuner.useless, c.added, c.useless)
			}
		})
	}
}

// FuzzState: a state file that is believed describes what can be.
func FuzzState(f *testing.F) {
	f.Add([]byte(`{"schema":1,"size":8400953,"segment":4194304}`+"\n04194304\n01048576\n00000000\n"), int64(5*mib))
	f.Add([]byte(`{"schema":1,"size":0,"segment":4194304}`+"\n00000007\n"), int64(7))
	f.Add([]byte(`{"schema":1,"size":0,"segment":4194304}`+"\n00000007\n00000007\n"), int64(5*mib)) // a gap
	f.Add([]byte(`{"schema":1,"size":10,"segment":4194304}`+"\n00000011\n"), int64(11))             // too much
	f.Add([]byte("{}\n"), int64(0))
	f.Fuzz(func(t *testing.T, text []byte, held int64) {
		head, got, base := parseState(text, held)
		if got == nil {
			return
		}
		s := segmentsOf(head.Size, got)
		if s.done < 0 || s.prefix() > max(held, 0) || s.known && s.done > s.size || !s.known && s.done != s.prefix() || int(base)+len(got)*lineLength != len(text) {
			t.Errorf("%q with %d bytes: %d on disk, %d of them without a gap, of %d", text, held, s.done, s.prefix(), s.size)
		}
		if s.complete() {
			return
		}
		if i, ok := s.claimLowest(); !ok || s.next(i) != s.prefix() {
			t.Errorf("%q: the first claim is %d, %t", text, i, ok)
		}
	})
}

// FuzzContentRange: a range that is believed lies within its file, and says what is written there.
func FuzzContentRange(f *testing.F) {
	for _, text := range []string{
		"bytes 0-0/1", "bytes 0-99/*", "bytes 5-4/10", "bytes 0-10/10", "bytes 007-008/9", "bytes */10", "bytes 0-/10", "bytes -5/10", "BYTES 0-1/2",
		"bytes 0-1/2 ", "bytes 0-1/2\n", "bytes  0-1/2", "bytes 999999999999999999-999999999999999999/*", "bytes 0-9223372036854775807/*",
		"bytes 0-1/2, 3-4/5", "items 0-1/2", "bytes 0-1", "",
	} {
		f.Add(text)
	}
	lastPart := regexp.MustCompile(`/[0-9]+$`)
	f.Fuzz(func(t *testing.T, text string) {
		from, to, total, ok := contentRange(text)
		if !ok {
			return
		}
		if from < 0 || to <= from || total >= 0 && to > total {
			t.Fatalf("%q: from %d to %d of %d", text, from, to, total)
		}
		size := "*"
		if total >= 0 {
			size = strconv.FormatInt(total, 10)
		}
		if total < 0 {
			text = lastPart.ReplaceAllString(text, "/*") // one that cannot be
		}
		plain := regexp.MustCompile(`\b0+([0-9])`).ReplaceAllString(text, "$1")
		if want := fmt.Sprintf("bytes %d-%d/%s", from, to-1, size); plain != want {
			t.Errorf("%q is taken for %q", text, want)
		}
	})
}
