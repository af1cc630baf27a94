package herd

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
)

// at is the value that so many percent of the sorted ones do not exceed.
func at[T any](sorted []T, percent int) T {
	return sorted[max((len(sorted)*percent+99)/100-1, 0)]
}

func sum(all []int) (total int) {
	for _, n := range all {
		total += n
	}
	return total
}

// inColumns gives write a way to add the lines of a table.
func inColumns(write func(line func(cells ...any))) string {
	var text strings.Builder
	text.WriteByte('\n')
	out := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	write(func(cells ...any) {
		for _, cell := range cells {
			if long, is := cell.(time.Duration); is {
				cell = long.Round(time.Second / 10)
			}
			fmt.Fprintf(out, "%v\t", cell)
		}
		fmt.Fprintln(out)
	})
	_ = out.Flush() // into memory
	return text.String()
}

// table is one herd in detail.
func (o *outcome) table() string {
	return inColumns(func(line func(cells ...any)) {
		line(fmt.Sprintf("%d hosts", len(o.hosts)), "min", "median", "p95", "max", "sum")
		for _, row := range []struct {
			name   string
			sorted []int
		}{{"API requests that succeeded, per host", o.served}, {"API requests that were refused, per host", o.refused}} {
			line(row.name, at(row.sorted, 0), at(row.sorted, 50), at(row.sorted, 95), at(row.sorted, 100), sum(row.sorted))
		}
		line("virtual time until registered", at(o.took, 0), at(o.took, 50), at(o.took, 95), at(o.took, 100), "")
	})
}

// compared sets herds of several sizes side by side.
func compared(all []*outcome) string {
	return inColumns(func(line func(cells ...any)) {
		line("hosts", "API requests", "per host", "most refusals", "too early", "p50", "p95", "all registered", "real time")
		for _, o := range all {
			line(len(o.hosts), o.requests, fmt.Sprintf("%.2f", float64(o.requests)/float64(len(o.hosts))),
				at(o.refused, 100), o.early, at(o.took, 50), at(o.took, 95), o.virtual, o.realTime)
		}
	})
}
