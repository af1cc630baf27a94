package terminal

import (
	"cmp"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
)

// usualColumns is how wide something is taken to be that does not tell.
const usualColumns = 80

// Bar shows how far something has come, in a line that is painted again and again. Its zero value shows nothing.
type Bar struct {
	Out io.Writer // a terminal

	bar   *progressbar.ProgressBar
	width int // of the terminal, when the bar was made
}

// Show moves the bar. A total of 0 is not known. What the bar says of its own troubles is of no interest to what it shows.
func (b *Bar) Show(what string, done, total int64) {
	if width := cmp.Or(Columns(b.Out), usualColumns); b.bar == nil || width != b.width {
		b.Clear() // after a resize its line would be broken
		if total == 0 {
			total = -1 // a spinner
		}
		b.width = width
		options := []progressbar.Option{
			progressbar.OptionSetWriter(b.Out),
			progressbar.OptionShowBytes(true),
			progressbar.OptionShowTotalBytes(true),
			progressbar.OptionShowCount(),
			progressbar.OptionThrottle(100 * time.Millisecond),
			progressbar.OptionSetWidth(max(4, min(20, width-62))),
			progressbar.OptionClearOnFinish(),
		}
		if width < Narrow {
			options = append(options, progressbar.OptionSetElapsedTime(false), progressbar.OptionSetPredictTime(false))
		} else {
			options = append(options, progressbar.OptionSetDescription(what))
		}
		b.bar = progressbar.NewOptions64(total, options...)
	}
	_ = b.bar.Set64(done)
}

// Clear takes the bar away. It may be repeated.
func (b *Bar) Clear() {
	if b.bar == nil {
		return
	}
	_ = b.bar.Exit() // Finish would paint 100 percent after a failure
	_ = b.bar.Clear()
	b.bar = nil
}
