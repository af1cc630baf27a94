package terminal

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
)

// usualColumns is how wide something is taken to be that does not tell.
const usualColumns = 80

const (
	// paintEach is how often a bar is painted.
	paintEach = 100 * time.Millisecond
	// steady is how long bytes have to come in until a rate says something of the rest.
	steady = time.Second
)

// Bar shows how far something has come, in a line that is painted again and again. Its zero value shows nothing.
type Bar struct {
	Out io.Writer // a terminal

	begun   time.Time // zero without a bar
	resumed int64     // what was there then: it tells nothing of the rate
	painted time.Time
	columns int // that the line has
}

// Show moves the bar. A total of 0 is not known. What fails in writing it is of no interest to what it shows.
func (b *Bar) Show(what string, done, total int64) {
	now := time.Now()
	if b.begun.IsZero() || done < b.resumed {
		b.begun, b.resumed = now, done
	}
	if now.Sub(b.painted) < paintEach {
		return
	}
	b.painted = now
	room := b.room()
	line := barLine(what, amounts{done: done, total: total, moved: done - b.resumed, took: now.Sub(b.begun)}, room)
	rest := max(0, min(b.columns, room)-len(line))
	b.columns = len(line)
	_, _ = fmt.Fprint(b.Out, "\r", line, strings.Repeat(" ", rest))
}

// Clear takes the bar away. It may be repeated.
func (b *Bar) Clear() {
	if b.columns > 0 {
		_, _ = fmt.Fprint(b.Out, "\r", strings.Repeat(" ", min(b.columns, b.room())), "\r")
	}
	*b = Bar{Out: b.Out}
}

// room is without the last column: with it, some terminals go on in the next line.
func (b *Bar) room() int { return cmp.Or(Columns(b.Out), usualColumns) - 1 }

// amounts are how many bytes there are, and how they have come.
type amounts struct {
	done, total int64
	moved       int64 // of done, within the time that it took
	took        time.Duration
}

// words say it, the most important first. No rate is told before there is one.
func (a amounts) words() []string {
	text := Megabytes(a.done)
	if a.total > 0 {
		text = fmt.Sprintf("%.1f/%s", float64(a.done)/1e6, Megabytes(a.total))
	}
	words := []string{text}
	if a.took < steady || a.moved <= 0 {
		return words
	}
	words = append(words, Rate(a.moved, a.took))
	if left := TimeLeft(a.moved, a.total-a.done, a.took); a.total > 0 && left != "" {
		words = append(words, left+" left")
	}
	return words
}

// How many columns the drawing in a bar has.
const (
	narrowestBar = 4
	widestBar    = 20
)

// barLine is a bar in one line of so many columns, with as much beside it as there is room for. It is in ASCII: not every terminal
// has more.
func barLine(what string, a amounts, columns int) string {
	if columns < Narrow {
		what = ""
	}
	head := ""
	if what != "" {
		head = what + " "
	}
	if a.total > 0 {
		head += fmt.Sprintf("%3d%% ", min(100, a.done*100/a.total)) //nolint:mnd // of a hundred
	}
	words := a.words()
	for {
		tail := "(" + strings.Join(words, ", ") + ")"
		room := columns - len(head) - len(tail) - len("|| ")
		switch {
		case room >= narrowestBar && a.total > 0:
			return drawn(what, a, min(widestBar, room)) + " " + tail
		case len(words) == 1 || a.total == 0 && len(head)+len(tail) <= columns:
			line := head + tail
			return line[:max(0, min(columns, len(line)))]
		}
		words = words[:len(words)-1]
	}
}

// drawn is the bar with what it is of and how much in percent before it. What it says of rates counts bytes that were there before,
// and the first moment, and is left out.
func drawn(what string, a amounts, columns int) string {
	var frames bytes.Buffer
	bar := progressbar.NewOptions64(a.total,
		progressbar.OptionSetWriter(&frames),
		progressbar.OptionSetDescription(what),
		progressbar.OptionSetWidth(columns),
		progressbar.OptionSetTheme(progressbar.Theme{Saucer: "#", SaucerPadding: " ", BarStart: "|", BarEnd: "|"}),
		progressbar.OptionSetElapsedTime(false), progressbar.OptionSetPredictTime(false),
	)
	_, _ = bar.RenderBlank(), bar.Set64(min(a.done, a.total)) // a buffer takes all
	text := strings.TrimRight(frames.String(), "\r\n ")
	text = text[strings.LastIndexByte(text, '\r')+1:]
	if what == "" {
		text = strings.TrimPrefix(text, " ")
	}
	return text
}

// Megabytes are bytes as people read them.
func Megabytes(bytes int64) string { return fmt.Sprintf("%.1f MB", float64(bytes)/1e6) }

// TimeLeft is how long the rest takes at the rate so far; empty if that cannot be told.
func TimeLeft(moved, rest int64, took time.Duration) string {
	if moved <= 0 || rest < 0 || took <= 0 {
		return ""
	}
	return time.Duration(float64(rest) / float64(moved) * float64(took)).Round(time.Second).String()
}

// Rate is how fast bytes have come; empty if that cannot be told.
func Rate(bytes int64, took time.Duration) string {
	if took <= 0 {
		return ""
	}
	return fmt.Sprintf("%.1f MB/s", float64(bytes)/1e6/took.Seconds())
}
