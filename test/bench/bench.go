package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"
)

// bench is one run of the benchmark.
type bench struct {
	options
	work    *work
	fixture *fixture
	product product
}

// all measures every table that was asked for.
func (b *bench) all(ctx context.Context) (*report, error) {
	r := &report{
		Date: time.Now().UTC(), Host: describeHost(), Rounds: b.rounds,
		Fixture: *b.fixture, Place: b.placeTitle(),
	}
	r.Host.Cores, r.Host.Go = runtime.NumCPU(), runtime.Version()
	for _, l := range b.links {
		t := &table{
			Name: l.name, Title: l.title, Baseline: baselineName, Transfer: transferName,
			Bytes: b.fixture.Tar.Packed, Floor: l.floor(b.fixture.Tar.Packed).Seconds(),
		}
		if err := b.measureTable(ctx, t, &l, linkCases(l, b.fixture, b.product)); err != nil {
			return nil, err
		}
		r.add(t)
	}
	for _, rest := range []struct {
		table table
		cases []benchCase
	}{
		{table{Name: "warm", Title: "More runners on a host that has one", Baseline: "tar"}, warmCases(b.fixture)},
		{table{Name: "zip", Title: "The archive for Windows, from the disk", Baseline: "standard"}, zipCases(b.fixture)},
	} {
		if err := b.measureTable(ctx, &rest.table, nil, rest.cases); err != nil {
			return nil, err
		}
		r.add(&rest.table)
	}
	for _, measure := range []func(context.Context, *report) error{b.measureShared, b.measureInstall, b.measureNext} {
		if err := measure(ctx, r); err != nil {
			return nil, err
		}
	}
	var err error
	if r.Upkeep, err = b.measureUpkeep(ctx); err != nil {
		return nil, err
	}
	r.Goals = judge(r)
	return r, nil
}

// measureShared is about more runners on a file system where a copy shares the blocks
// of what it was made from.
func (b *bench) measureShared(ctx context.Context, r *report) error {
	t := &table{Name: "warm-xfs", Title: "More runners on a fresh XFS, where copies share their blocks", Baseline: "tar"}
	cases := warmCases(b.fixture)
	if !slices.ContainsFunc(cases, func(c benchCase) bool { return b.wants(t, c) }) {
		return nil
	}
	lacking := b.work.lacks(ctx, xfs)
	for i := range cases {
		cases[i].lacking = lacking
	}
	elsewhere := *b
	elsewhere.work = b.work.on(xfs)
	if err := elsewhere.measureTable(ctx, t, nil, cases); err != nil {
		return err
	}
	r.add(t)
	return nil
}

func (b *bench) placeTitle() string {
	switch {
	case b.work.plain != "":
		return "directories of one file system (**not** a fresh one for each run: " + b.work.plain + ")"
	case b.work.system == tmpfs:
		return "a fresh tmpfs for each run"
	default:
		return "a fresh ext4 on the disk for each run"
	}
}

// measureTable runs the cases interleaved: a host that is slower for a while is
// so for all of them. The order rotates, so none is always the first.
func (b *bench) measureTable(ctx context.Context, t *table, l *link, all []benchCase) (err error) {
	cases := b.choose(t, all)
	if len(cases) == 0 {
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	p := place{fixture: b.fixture, product: b.product, self: self}
	if l != nil {
		s, err := startServer(ctx, b.fixture.Tar.Path, *l)
		if err != nil {
			return err
		}
		// Before what the work directory holds is removed, and whatever happened.
		defer func() { err = errors.Join(err, s.close()) }()
		p.mirror = "http://" + s.address
		p.url = p.mirror + "/" + b.fixture.Tar.Name
	}
	for round := range b.rounds {
		for i := range cases {
			c := cases[(i+round)%len(cases)]
			s, err := b.once(ctx, c, p)
			if err != nil {
				return fmt.Errorf("measuring %s/%s: %w", t.Name, c.name, err)
			}
			say("%s/%s %d of %d: %.2f s, CPU %.2f s, %.0f MiB", t.Name, c.name, round+1, b.rounds, s.Wall, s.CPU, mebibytes(s.RSS))
			row := t.row(c.name)
			row.Samples = append(row.Samples, s)
		}
	}
	return nil
}

// choose makes a row for each case that was asked for, and returns those that
// can run here.
func (b *bench) choose(t *table, all []benchCase) (cases []benchCase) {
	for _, c := range all {
		if !b.wants(t, c) {
			continue
		}
		lacking := c.lacking
		for _, program := range slices.Compact(slices.Sorted(slices.Values(c.needs))) {
			if _, err := exec.LookPath(program); err != nil {
				lacking = fmt.Sprintf("%s is not installed (%s)", program, packageOf(program))
			}
		}
		t.Rows = append(t.Rows, &row{Case: c.name, Title: c.title, Skipped: lacking})
		if lacking != "" {
			say("%s/%s is skipped: %s", t.Name, c.name, lacking)
			continue
		}
		cases = append(cases, c)
	}
	return cases
}

// wants tells whether a case was asked for.
func (b *bench) wants(t *table, c benchCase) bool { return b.only.MatchString(t.Name + "/" + c.name) }

// packageOf says where Debian has a program.
func packageOf(program string) string {
	switch program {
	case "igzip":
		program = "isal"
	case "aria2c":
		program = "aria2"
	case "sha256sum", "sync", "tee", "mkfifo":
		program = "coreutils"
	}
	return "package " + program
}

// once runs one case on a file system of its own.
func (b *bench) once(ctx context.Context, c benchCase, p place) (s sample, err error) {
	err = b.work.fresh(ctx, func(dir string) error {
		p.dir = dir
		if c.setup != nil {
			if err := c.setup(ctx, p); err != nil {
				return fmt.Errorf("setting up: %w", err)
			}
		}
		if err := b.work.settle(dir); err != nil {
			return err
		}
		s.Load = loadAverage()
		stolen := stolenTime()
		if s.usage, err = measure(ctx, dir, c.command(p)); err != nil {
			return err
		}
		s.Steal = (stolenTime() - stolen).Seconds()
		files, err := filesIn(dir)
		if err == nil && files < c.files {
			err = fmt.Errorf("%d files are there, %d should be: %s", files, c.files, strings.Join(c.command(p), " "))
		}
		return err
	})
	return s, err
}
