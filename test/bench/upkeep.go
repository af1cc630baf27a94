package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// upkeepName is the table's for -only.
const upkeepName = "supervisor"

// The rows of the table. The stock service of this version of the runner starts
// the older Node.js, the next one the newer.
const (
	ourUpkeep   = "ours"
	stockUpkeep = "stock-node20"
	nextUpkeep  = "stock-node24"
)

func upkeepCases(p product) []benchCase {
	stock := []string{"bash", "tar", "gzip"}
	return []benchCase{
		{name: ourUpkeep, title: "**runner-bootstrap run**", lacking: p.lacking},
		{name: stockUpkeep, title: "the stock service: bash, Node.js 20", needs: stock},
		{name: nextUpkeep, title: "the same with Node.js 24", needs: stock},
	}
}

// upkeep is the table of what a host pays for keeping a listener running.
type upkeep struct {
	Idle float64      `json:"idle_s"` // after its listener listened, memory was looked at
	Rows []*upkeepRow `json:"rows"`
}

type upkeepRow struct {
	Case    string  `json:"case"`
	Title   string  `json:"title"`
	Skipped string  `json:"skipped,omitempty"`
	Starts  []start `json:"starts"`
	// Idle are the processes beside the listener, of each look.
	Idle [][]resident `json:"idle"`
}

// start is one start of a supervisor.
type start struct {
	Time float64 `json:"s"`    // until the listener ran
	Load float64 `json:"load"` // before it
}

func (u *upkeep) row(name string) *upkeepRow {
	if u != nil {
		for _, r := range u.Rows {
			if r.Case == name {
				return r
			}
		}
	}
	return &upkeepRow{Case: name}
}

func (r *upkeepRow) starts() (milliseconds []float64) {
	for _, s := range r.Starts {
		milliseconds = append(milliseconds, s.Time*1000)
	}
	return milliseconds
}

// start is in milliseconds, the median.
func (r *upkeepRow) start() float64 { return median(r.starts()) }

// largest is the look at which the processes held most: a limit must always hold.
func (r *upkeepRow) largest() (most []resident) {
	for _, look := range r.Idle {
		if most == nil || sum(look).PSS > sum(most).PSS {
			most = look
		}
	}
	return most
}

// memory is in MiB, of all processes together, what they share once.
func (r *upkeepRow) memory() float64 { return mebibytes(sum(r.largest()).PSS) }

func sum(all []resident) (total resident) {
	for _, r := range all {
		total.RSS += r.RSS
		total.PSS += r.PSS
		total.Anon += r.Anon
		total.File += r.File
		total.Threads += r.Threads
	}
	return total
}

func (u *upkeep) printTo(w io.Writer) {
	if u == nil || len(u.Rows) == 0 {
		return
	}
	fmt.Fprint(w, "\n### What keeps the listener running\n\n")
	fmt.Fprintln(w, "| | start, median ms | min ms | PSS MiB | RSS MiB | anonymous | of files | threads | processes |")
	fmt.Fprintln(w, "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |")
	for _, r := range u.Rows {
		if len(r.Starts) == 0 {
			continue
		}
		look := r.largest()
		all := sum(look)
		var each []string
		for _, one := range look {
			each = append(each, fmt.Sprintf("%s %.1f", one.Name, mebibytes(one.PSS)))
		}
		fmt.Fprintf(w, "| %s | %.1f | %.1f | %.1f | %.1f | %.1f | %.1f | %d | %s |\n", r.Title, r.start(), slices.Min(r.starts()),
			mebibytes(all.PSS), mebibytes(all.RSS), mebibytes(all.Anon), mebibytes(all.File), all.Threads, strings.Join(each, ", "))
	}
	u.notes(w)
	u.sentences(w)
}

// notes says what the numbers rest on.
func (u *upkeep) notes(w io.Writer) {
	var loads []float64
	starts, looks := 0, 0
	for _, r := range u.Rows {
		for _, s := range r.Starts {
			loads = append(loads, s.Load)
		}
		starts, looks = max(starts, len(r.Starts)), max(looks, len(r.Idle))
		if r.Skipped != "" {
			fmt.Fprintf(w, "\nLeft out, %s: %s.\n", r.Title, r.Skipped)
		}
	}
	if len(loads) == 0 {
		return
	}
	fmt.Fprintf(w, "\nA start ends with the first instruction of the listener: %d of each, interleaved. "+
		"Memory is that of all processes but the listener, %.0f s after it listened, the largest of %d looks. "+
		"Load before the starts: median %.1f, at most %.1f.\n", starts, u.Idle, looks, median(loads), slices.Max(loads))
}

// sentences are the two for the README, below its table.
func (u *upkeep) sentences(w io.Writer) {
	ours, stock := u.row(ourUpkeep), u.row(stockUpkeep)
	memory, start := ratio(stock.memory(), ours.memory()), ratio(stock.start(), ours.start())
	if memory == 0 || start == 0 {
		return
	}
	fmt.Fprintf(w, "\nBeside an idle listener `runner-bootstrap run` holds %.1f MiB of memory, "+
		"the stock service (bash and Node.js) %.1f MiB: %.2f times as much.\n",
		ours.memory(), stock.memory(), memory)
	fmt.Fprintf(w, "It has started the listener %.0f ms after its own start, the stock service after %.0f ms: %.2f times as long.\n",
		ours.start(), stock.start(), start)
}
