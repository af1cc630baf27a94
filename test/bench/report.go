package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"time"
)

// report is everything that was measured, as it is written with -json.
type report struct {
	Date    time.Time `json:"date"`
	Host    host      `json:"host"`
	Place   string    `json:"place"`
	Rounds  int       `json:"rounds"`
	Fixture fixture   `json:"fixture"`
	Tables  []*table  `json:"tables"`
	Upkeep  *upkeep   `json:"upkeep,omitempty"`
	Goals   []verdict `json:"goals"`
}

// host is what the numbers are true for.
type host struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Memory int64  `json:"memory"`
	Kernel string `json:"kernel"`
	Go     string `json:"go"`
}

// table has one row for each way to do the same.
type table struct {
	Name     string  `json:"name"`
	Title    string  `json:"title"`
	Baseline string  `json:"baseline"`           // row that others are compared with
	Transfer string  `json:"transfer,omitempty"` // row that has no work but the link's
	Bytes    int64   `json:"bytes,omitempty"`    // of the archive
	Floor    float64 `json:"floor_s,omitempty"`  // what the link needs for them by its rate
	Rows     []*row  `json:"rows"`
}

type row struct {
	Case    string   `json:"case"`
	Title   string   `json:"title"`
	Skipped string   `json:"skipped,omitempty"`
	Samples []sample `json:"samples"`
}

// sample is one run.
type sample struct {
	usage
	Load  float64 `json:"load"`    // before it
	Steal float64 `json:"steal_s"` // what the host of a virtual machine gave to others meanwhile, of all processors
}

func (r *report) add(t *table) {
	if len(t.Rows) > 0 {
		r.Tables = append(r.Tables, t)
	}
}

// row finds a row; one that is not there is empty, so whatever is asked of it is
// unknown.
func (t *table) row(name string) *row {
	for _, r := range t.Rows {
		if r.Case == name {
			return r
		}
	}
	return &row{Case: name}
}

func (r *report) table(name string) *table {
	for _, t := range r.Tables {
		if t.Name == name {
			return t
		}
	}
	return &table{Name: name}
}

func (r *row) wall() float64 { return median(r.of(func(s sample) float64 { return s.Wall })) }
func (r *row) cpu() float64  { return median(r.of(func(s sample) float64 { return s.CPU })) }

// rss is the largest of all runs: a limit must always hold.
func (r *row) rss() float64 {
	peaks := r.of(func(s sample) float64 { return mebibytes(s.RSS) })
	if len(peaks) == 0 {
		return 0
	}
	return slices.Max(peaks)
}

func (r *row) of(value func(sample) float64) (values []float64) {
	for _, s := range r.Samples {
		values = append(values, value(s))
	}
	return values
}

// median of nothing is 0, which is unknown everywhere here.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half]
	}
	return (sorted[half-1] + sorted[half]) / 2
}

// ratio is 0, unknown, if either value is.
func ratio(a, b float64) float64 {
	if a <= 0 || b <= 0 {
		return 0
	}
	return a / b
}

func mebibytes(n int64) float64 { return float64(n) / (1 << 20) }

func (r *report) print(w io.Writer) {
	fmt.Fprintf(w, "Measured on %s: %s, %d cores, %.0f GiB, %s, %s. Rounds: %d, interleaved; medians; %s.\n",
		r.Date.Format(time.DateOnly), r.Host.CPU, r.Host.Cores, mebibytes(r.Host.Memory)/1024, r.Host.Kernel, r.Host.Go, r.Rounds, r.Place)
	fmt.Fprintf(w, "CPU is user and system time of all processes together, RSS the peak of the largest one.\n\n")
	fmt.Fprintf(w, "- %s\n- %s\n", r.Fixture.Tar, r.Fixture.Zip)
	for _, t := range r.Tables {
		t.print(w)
	}
	r.Upkeep.printTo(w)
	fmt.Fprintf(w, "\n### Goals\n\n| goal | reached | yes/no |\n| --- | --- | --- |\n")
	for _, v := range r.Goals {
		fmt.Fprintf(w, "| %s | %s | %s |\n", v.Goal, v.Reached, v.Answer)
	}
}

func (t *table) print(w io.Writer) {
	fmt.Fprintf(w, "\n### %s\n\n", t.Title)
	fmt.Fprintf(w, "| | median s | min s | CPU s | RSS MiB | times as fast | times less CPU |")
	rule := "\n| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
	if t.Transfer != "" {
		fmt.Fprint(w, " x transfer |")
		rule += " ---: |"
	}
	fmt.Fprintln(w, rule)
	base, bare := t.row(t.Baseline), t.row(t.Transfer)
	for _, r := range t.Rows {
		if len(r.Samples) == 0 {
			continue
		}
		fastest := slices.Min(r.of(func(s sample) float64 { return s.Wall }))
		fmt.Fprintf(w, "| %s | %.2f | %.2f | %s | %.0f | %s | %s |", r.Title, r.wall(), fastest, number(r.cpu()), r.rss(),
			number(ratio(base.wall(), r.wall())), number(ratio(base.cpu(), r.cpu())))
		if t.Transfer != "" {
			fmt.Fprintf(w, " %s |", number(ratio(r.wall(), bare.wall())))
		}
		fmt.Fprintln(w)
	}
	t.notes(w, bare)
}

// notes says what the numbers rest on.
func (t *table) notes(w io.Writer, bare *row) {
	var loads, steals []float64
	for _, r := range t.Rows {
		loads = append(loads, r.of(func(s sample) float64 { return s.Load })...)
		steals = append(steals, r.of(func(s sample) float64 { return s.Steal })...)
		if r.Skipped != "" {
			fmt.Fprintf(w, "\nLeft out, %s: %s.\n", r.Title, r.Skipped)
		}
	}
	if len(loads) == 0 {
		return
	}
	fmt.Fprintf(w, "\nLoad before the runs: median %.1f, at most %.1f. Steal in them: median %.2f s, at most %.2f s.",
		median(loads), slices.Max(loads), median(steals), slices.Max(steals))
	if t.Floor > 0 && len(bare.Samples) > 0 {
		fmt.Fprintf(w, " By its rate the link needs %.3f s for %.1f MB; curl took %.3f s (%+.1f %%).",
			t.Floor, megabytes(t.Bytes), bare.wall(), 100*(bare.wall()/t.Floor-1))
	}
	fmt.Fprintln(w)
}

func number(value float64) string {
	if value == 0 {
		return "?"
	}
	return fmt.Sprintf("%.2f", value)
}

func (r *report) save(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the raw numbers: %w", err)
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("writing the raw numbers: %w", err)
	}
	return nil
}
