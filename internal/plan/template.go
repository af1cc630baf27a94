package plan

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/metadata"
)

const randomLength = 6

var (
	placeholder = regexp.MustCompile(`\{[^{}]*\}`)
	notInName   = regexp.MustCompile(`[^A-Za-z0-9._-]+`)
	// gap is what stands around a placeholder that was left out.
	gap = regexp.MustCompile(`([._-])[._-]*\x00[._-]*|\x00[._-]*`)
)

// filler fills placeholders.
type filler struct {
	number int // 0 without
	facts  func() (metadata.Facts, error)
}

func (m *Maker) filler(ctx context.Context, r Request) filler {
	return filler{number: r.Index, facts: func() (metadata.Facts, error) { return m.cloudFacts(ctx, r.Metadata) }}
}

// Cloud remembers what the cloud has said of this machine, so that it is asked once for
// all the runners of a host. It is ready to use.
type Cloud struct {
	facts *metadata.Facts // nil: it was not asked yet
}

// Known is what it has said so far; empty if it was not asked.
func (c *Cloud) Known() metadata.Facts {
	if c.facts == nil {
		return metadata.Facts{}
	}
	return *c.facts
}

func (m *Maker) cloudFacts(ctx context.Context, want Metadata) (metadata.Facts, error) {
	switch {
	case want.Policy == MetadataOff:
		return metadata.Facts{}, fmt.Errorf("%w: it needs the facts of a cloud, which are not asked for with --metadata off", ErrTemplate)
	case m.Cloud.facts != nil:
		return *m.Cloud.facts, nil
	}
	limited, cancel := context.WithTimeout(ctx, want.Wait)
	defer cancel()
	facts, err := metadata.Lookup(limited)
	if err != nil && (want.Policy == MetadataRequired || ctx.Err() != nil) {
		return metadata.Facts{}, err
	}
	if err != nil {
		m.Log.Warn("what only a cloud knows is left out of the runner's name and labels", "reason", err.Error())
	}
	m.Cloud.facts = &facts
	return facts, nil
}

// name makes a runner's name of a template. A number, unless it is 0, stands where
// the template says so, else at its end; the first one alone needs no place. What
// is not known is left out with the hyphen beside it.
func (f filler) name(template string) (string, error) {
	if f.number > 1 && !strings.Contains(template, "{n}") {
		template += "-{n}"
	}
	name, known, err := f.fill(template)
	if err != nil {
		return "", err
	}
	if !known {
		name = strings.TrimRight(gap.ReplaceAllString(name, "$1"), "-._")
	}
	if err := instance.CheckName(name); err != nil {
		return "", fmt.Errorf("naming the runner: %w", err)
	}
	return name, nil
}

// labels makes labels of templates, or nil if there is nothing to fill. One with
// something that is not known is left out.
func (f filler) labels(identity instance.Identity) ([]string, error) {
	if !slices.ContainsFunc(identity.Labels, placeholder.MatchString) {
		return nil, nil
	}
	given := []string{}
	for _, template := range identity.Labels {
		label, known, err := f.fill(template)
		if err != nil {
			return nil, err
		}
		if known {
			given = append(given, label)
		}
	}
	if len(given) == 0 && identity.NoDefaultLabels {
		return nil, fmt.Errorf("%w: no label is left of %q, and a runner without any gets no job",
			ErrTemplate, strings.Join(identity.Labels, ","))
	}
	return given, nil
}

// fill replaces the placeholders of a template; a NUL stands for what is not known.
func (f filler) fill(template string) (text string, known bool, err error) {
	known = true
	text = placeholder.ReplaceAllStringFunc(template, func(word string) string {
		value, failed := f.value(template, word)
		if failed != nil && err == nil {
			err = failed
		}
		if value == "" {
			known = false
			return "\x00"
		}
		return value
	})
	return text, known, err
}

func (f filler) value(template, word string) (string, error) {
	switch word {
	case "{hostname}":
		host, err := os.Hostname()
		if err != nil {
			return "", fmt.Errorf("asking for the host's name: %w", err)
		}
		short, _, _ := strings.Cut(host, ".")
		return fitting(short), nil
	case "{random}":
		return strings.ToLower(rand.Text()[:randomLength]), nil
	case "{n}":
		return strconv.Itoa(max(f.number, 1)), nil
	}
	fact, found := map[string]func(metadata.Facts) string{
		"{instance_id}":   func(f metadata.Facts) string { return f.InstanceID },
		"{region}":        func(f metadata.Facts) string { return f.Region },
		"{zone}":          func(f metadata.Facts) string { return f.Zone },
		"{instance_type}": func(f metadata.Facts) string { return f.InstanceType },
	}[word]
	if !found {
		return "", fmt.Errorf("%w: %q has the unknown placeholder %s (known: {hostname}, {random}, {n}, "+
			"{instance_id}, {region}, {zone}, {instance_type})", ErrTemplate, template, word)
	}
	facts, err := f.facts()
	if err != nil {
		return "", fmt.Errorf("filling %s: %w", word, err)
	}
	return fitting(fact(facts)), nil
}

// fitting leaves of a value what a name can have.
func fitting(value string) string {
	return strings.Trim(notInName.ReplaceAllString(value, "-"), "-.")
}
