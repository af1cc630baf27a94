// Package sealcheck looks over a host whose disk becomes an image, for what each machine made of it would share: a secret, a
// runner, an identity. It finds secrets by their shape and by the places where programs keep them. It proves nothing: what a
// disk holds beside files, and what has no shape, it cannot see, and a [Report] says what that is.
package sealcheck

import (
	"cmp"
	"context"
	"slices"
	"sort"
)

// Host says what is looked at.
type Host struct {
	// Folders are looked at whole, each to the borders of its file system. Links are not followed.
	Folders []string
	// System is the root of the system that the folders belong to, by which the places of programs are known; empty for
	// folders that belong to none.
	System string
	// Runners is the parent of runner directories: nothing may be in it.
	Runners string
	// Skip is not looked at, each with its reason.
	Skip map[string]string
	// Except are patterns, as of [path.Match], of files and folders that somebody has looked at: what is found there, or below
	// them, is counted and not told.
	Except []string
}

// Kind is what a finding means for a copy of the host.
type Kind string

const (
	// Secret is what gives rights to who has it.
	Secret Kind = "secret"
	// Runner is a registration, or what would start one.
	Runner Kind = "runner"
	// Memory is what a program had in its memory, which may be anything.
	Memory Kind = "memory"
	// Unread is what could not be looked at.
	Unread Kind = "unread"
	// Identity is what tells machines apart, and so should not be the same in all. Many images have it, and a first boot that
	// makes a new one.
	Identity Kind = "identity"
	// Access lets somebody in: an account with a password, a key that is accepted.
	Access Kind = "access"
	// Trace is what this host remembers of its making.
	Trace Kind = "trace"
)

// Refuses tells whether a host with such a finding must not become an image. The others are for its maker to decide.
func (k Kind) Refuses() bool { return k == Secret || k == Runner || k == Memory || k == Unread }

// Finding is one thing that copies of the host would share. No part of a secret is in it.
type Finding struct {
	Path string `json:"path"`
	Line int    `json:"line,omitempty"` // of a text, from 1
	Kind Kind   `json:"kind"`
	What string `json:"what"`
	// Fix says what [Host.Fix] would do about it; empty if it is left to people.
	Fix string `json:"fix,omitempty"`

	way way
}

// NotLooked is a place that was not looked at, or not to its end.
type NotLooked struct {
	Path string `json:"path"`
	Why  string `json:"why"`
}

// Report is what a look has found, and what it cannot have found.
type Report struct {
	Folders   []string    `json:"folders"`
	Files     int         `json:"files"`
	Bytes     int64       `json:"bytes"`
	Findings  []Finding   `json:"findings"`
	NotLooked []NotLooked `json:"not_looked_at"`
	// Unknown is what no look at files can tell.
	Unknown []string `json:"unknown"`
	// Published counts what has the shape of a secret and is an unchanged file of one of the distribution's packages, so that
	// all the world has it.
	Published int `json:"published"`
	// Excepted counts what was found where it was not to be told.
	Excepted int `json:"excepted"`
	// Removed is what a Fix has taken away before this look.
	Removed []string `json:"removed,omitempty"`
}

// Refusing are the findings because of which the host must not become an image.
func (r Report) Refusing() []Finding {
	return slices.DeleteFunc(slices.Clone(r.Findings), func(f Finding) bool { return !f.Kind.Refuses() })
}

// unknowable is what is said of each whole system.
func unknowable() []string {
	return []string{
		"free blocks of the disk, which may hold what was deleted (fstrim, or an image builder that copies files, settles that)",
		"swap partitions and the image of a hibernation",
		"other partitions, and what lies below a place where something is mounted",
		"snapshots and older copies of this disk, the firmware's variables, what a TPM keeps, " +
			"and what the cloud itself keeps as user data or tags",
		"secrets without a known shape in a place that is not known for them, encrypted ones, those written in another way than plainly " +
			"or in base64 (as hexadecimal, for one), and those in what is compressed " +
			"by something else than gzip: zip, zstd, xz, bzip2, 7z, lz4 and rar are told apart, and not unpacked",
		"entries of the journal that are compressed, as longer ones are: an image needs no journal, so have it rotated and vacuumed",
	}
}

// Look returns everything that was found, in the order of paths. It changes nothing but the times at which files were read,
// and may be repeated. What cannot be read is a finding; the error is that of the context.
func (h Host) Look(ctx context.Context) (Report, error) {
	l := &look{host: h, published: readPublished(h.System)}
	report := Report{Folders: h.Folders, Findings: []Finding{}, NotLooked: []NotLooked{}, Unknown: []string{}}
	if h.System != "" {
		report.Unknown = append(unknowable(), unlisted(h.System)...)
	}
	l.runners()
	l.walkAll(ctx)
	if err := ctx.Err(); err != nil {
		return Report{}, err
	}
	report.Files, report.Bytes, report.Published = l.files, l.bytes, l.known
	report.NotLooked = append(append(report.NotLooked, l.notLooked...), l.someArchives()...)
	for _, f := range l.findings {
		if h.excepted(f.Path) {
			report.Excepted++
			continue
		}
		f.way = h.wayFor(f)
		f.Fix = f.way.words
		f.Path = redacted(f.Path)
		report.Findings = append(report.Findings, f)
	}
	sort.Slice(report.Findings, func(i, j int) bool {
		a, b := report.Findings[i], report.Findings[j]
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.What, b.What), cmp.Compare(a.Line, b.Line)) < 0
	})
	report.Findings = slices.CompactFunc(report.Findings, func(a, b Finding) bool { return a.Path == b.Path && a.What == b.What })
	sort.Slice(report.NotLooked, func(i, j int) bool { return report.NotLooked[i].Path < report.NotLooked[j].Path })
	return report, nil
}
