package main

import "fmt"

// goal is a number that this project wants to reach, and whether more is better.
type goal struct {
	text    string
	want    float64
	atLeast bool
	got     float64 // 0 is unknown
	unit    string
}

// verdict is a goal as the report shows it.
type verdict struct {
	Goal    string `json:"goal"`
	Reached string `json:"reached"`
	Answer  string `json:"answer"` // yes, no, or not measured
}

func (g goal) judge() verdict {
	sign := "at most"
	if g.atLeast {
		sign = "at least"
	}
	v := verdict{Goal: fmt.Sprintf("%s: %s %g%s", g.text, sign, g.want, g.unit), Reached: "?", Answer: "not measured"}
	if g.got == 0 {
		return v
	}
	v.Reached, v.Answer = fmt.Sprintf("%.2f%s", g.got, g.unit), "no"
	if g.got == g.want || g.atLeast == (g.got > g.want) {
		v.Answer = "yes"
	}
	return v
}

// judge holds what was measured against the goals.
func judge(r *report) (verdicts []verdict) {
	for _, g := range goalsOf(r) {
		verdicts = append(verdicts, g.judge())
	}
	return verdicts
}

func goalsOf(r *report) []goal {
	faster := func(table, baseline string) float64 {
		t := r.table(table)
		return ratio(t.row(baseline).wall(), t.row("ours").wall())
	}
	overTransfer := func(table string) float64 {
		t := r.table(table)
		return ratio(t.row("ours").wall(), t.row(transferName).wall())
	}
	share := func(table, name, baseline string) float64 {
		t := r.table(table)
		return ratio(t.row(name).wall(), t.row(baseline).wall())
	}
	beyond := func(name, baseline string) float64 {
		t := r.table(nextTable)
		if ours, hand := t.row(name).wall(), t.row(baseline).wall(); ours > 0 && hand > 0 {
			return max(ours-hand, 0.001) // 0 is unknown
		}
		return 0
	}
	loopback, each := r.table("loopback"), r.table("200m-per-connection")
	return []goal{
		{"loopback, times as fast as the shell", 3.5, true, faster("loopback", baselineName), ""},
		{"loopback, times less CPU than the shell", 2.8, true, ratio(loopback.row(baselineName).cpu(), loopback.row("ours").cpu()), ""},
		{"loopback, times as fast as the igzip pipe", 1.8, true, faster("loopback", "igzip"), ""},
		{"1 Gbit/s, times of the transfer", 1.2, false, overTransfer("1g"), ""},
		{"500 Mbit/s, times of the transfer", 1.03, false, overTransfer("500m"), ""},
		{"100 Mbit/s, times of the transfer", 1.03, false, overTransfer("100m"), ""},
		{"200 Mbit/s for each connection, times as fast as the shell", 6, true, faster("200m-per-connection", baselineName), ""},
		{"zip, times as fast as archive/zip", 2, true, faster("zip", "standard"), ""},
		{"one more runner, share of tar xzf", 0.03, false, share("warm", "ours", "tar"), ""},
		{"eight more runners, share of one tar xzf", 0.25, false, share("warm", "ours-8", "tar"), ""},
		{"one more runner on XFS, share of tar xzf", 0.03, false, share("warm-xfs", "ours", "tar"), ""},
		{"eight more runners on XFS, share of one tar xzf", 0.25, false, share("warm-xfs", "ours-8", "tar"), ""},
		{"from nothing to a runner that listens, share of the shell", 0.5, false, share(installTable, "ours", baselineName), ""},
		{"from a job's end to the next listening, beyond config.sh and the listener's start", 0.2, false, beyond("ours", "by-hand"), " s"},
		{"the same with --jit, beyond the listener's start", 0.2, false, beyond("ours-jit", "by-hand-jit"), " s"},
		{"memory, one connection", 32, false, each.row("ours-1").rss(), " MiB"},
		{"memory, eight connections", 64, false, each.row("ours").rss(), " MiB"},
		{"agent and jail, memory beside an idle listener", 24, false, r.Upkeep.row(ourUpkeep).memory(), " MiB"},
		{"agent, from its start to that of the listener", 100, false, r.Upkeep.row(ourUpkeep).start(), " ms"},
	}
}
